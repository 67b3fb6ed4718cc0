"""``paypro report``."""
