"""Clusters: several brokers, several Kafkas, several ClickHouses, judged to the token."""
