"""A PostgreSQL server, as a ledger sees it: its address, what a transaction sets, what its errors mean, poolers."""
