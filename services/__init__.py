"""Wattoken's services: ingest, aggregator, exporter, and the tools around them."""
