"""``paypro demo``."""
