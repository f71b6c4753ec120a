"""The aggregator: a Faust worker that rolls usage events into slices in ClickHouse, exactly once."""
