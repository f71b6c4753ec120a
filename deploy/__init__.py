"""Running Wattoken: the local stack, images, and what Prometheus and Grafana need."""
