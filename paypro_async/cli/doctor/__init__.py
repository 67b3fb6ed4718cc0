"""``paypro doctor``: whether this machine and this account are ready to pay."""
