"""What many workers, one PostgreSQL and one merchant account carry: ``python -m benchmarks.scale --help``."""
