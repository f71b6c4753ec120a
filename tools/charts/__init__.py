"""What writes parts of the Helm chart."""
