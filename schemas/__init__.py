"""The contracts between gateways, services and readers; imports nothing of ours."""
