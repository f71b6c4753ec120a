"""The dashboards, one a module: their sections, panels and queries."""
