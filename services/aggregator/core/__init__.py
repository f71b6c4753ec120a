"""The aggregator's pure core: values in, values out; no clock, environment, network or log."""
