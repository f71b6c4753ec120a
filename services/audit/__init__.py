"""Holds what is metered against the log: the audit of a system that runs, without a ledger."""
