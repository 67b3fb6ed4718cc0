"""The ledger in SQLite or PostgreSQL. The only room that imports SQLAlchemy, when a ledger is opened."""
