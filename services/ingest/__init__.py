"""Takes usage over HTTP and puts it onto the log; answers 2xx only for what Kafka has."""
