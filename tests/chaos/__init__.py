"""The chaos harness: seeded faults on the real processes, and an oracle that judges the totals."""
