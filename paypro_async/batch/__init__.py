"""Many payouts: any iterable of them, so many at one time and so many a second."""
