"""Settlement runs: a month's bills frozen, signed and in a Merkle log; and what two runs differ by.

It stands on billing's money. What checks a bill (`services.verify`) shares none of its code.
"""
