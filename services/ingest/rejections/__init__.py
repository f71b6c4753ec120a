"""What ingest refuses, kept on a topic of its own: redacted, capped and bounded."""
