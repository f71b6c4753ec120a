"""What the services share: settings, Kafka, ClickHouse, logging, health. Knows no service."""
