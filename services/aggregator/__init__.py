"""The aggregator: a Faust worker that rolls usage events into slices, exactly once."""
