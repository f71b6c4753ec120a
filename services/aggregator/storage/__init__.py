"""ClickHouse and the disk: what is written there, and read at recovery."""
