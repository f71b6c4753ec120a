"""What only the container images need: first secrets and the health probe."""
