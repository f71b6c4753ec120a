"""A Kafka and a ClickHouse that take nobody in clear, and nobody whom they do not know."""
