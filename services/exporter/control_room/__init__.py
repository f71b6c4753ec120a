"""The control room: one page at the exporter's `/` that shows the system as it runs."""
