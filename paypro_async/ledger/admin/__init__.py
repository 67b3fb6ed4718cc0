"""What an operator does with a ledger: read its records, check them, erase personal values."""
