"""Batches that many workers pay, in SQL: their rows as planned, who may begin them, which ranges are open."""
