"""Whether this is the ledger that knows: its mark, its tables, its backups; and what follows if it is not."""
