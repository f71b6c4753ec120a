"""Where the facts come from: Kafka, ClickHouse, the services, this machine."""
