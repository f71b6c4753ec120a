"""The Helm chart, rendered by the real helm and held to Kubernetes' own rules."""
