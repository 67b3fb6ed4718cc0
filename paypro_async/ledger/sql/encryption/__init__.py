"""Personal values of a ledger, encrypted in each row."""
