"""Grafana's own types of a dashboard, and what is held to them."""
