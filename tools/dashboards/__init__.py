"""Grafana: dashboards written as Python, the JSON made from it, and what provisions both."""
