"""Kafka as the aggregator reads it: fetching, Faust's transport and options, offsets."""
