"""A real OpenTelemetry Collector, built with its builder, for the tests of docs/gateways.md."""
