"""Files of payouts: read whole, checked whole, paid once, reported row by row."""
