"""``paypro batch``."""
