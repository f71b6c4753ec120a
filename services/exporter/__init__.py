"""The exporter: what ClickHouse has metered, as Prometheus counters. It writes nothing."""
