"""``paypro ledger``."""
