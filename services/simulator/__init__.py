"""Makes traffic whose totals are known: a seeded fleet, trace replay, a ledger and its audit."""
