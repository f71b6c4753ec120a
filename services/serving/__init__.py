"""HTTP and HTTPS, as ingest and the exporter serve them: in one process, until told to stop."""
