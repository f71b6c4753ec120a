"""The whole stack as plain processes on one machine: broker, ClickHouse, Prometheus, services.

Everything listens on loopback only, and every process ends when the one that started it ends.
"""
