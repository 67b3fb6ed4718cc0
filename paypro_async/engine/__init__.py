"""One payout, whichever caller drives it: announced, signed, sent, classified, recorded; and asked about."""
