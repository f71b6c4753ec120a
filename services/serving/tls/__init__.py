"""TLS at ingest: the certificate and its key, checked, followed, and served."""
