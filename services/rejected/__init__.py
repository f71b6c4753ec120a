"""`wattoken rejected`: what ingest refused, looked at, and metered after it was fixed."""
