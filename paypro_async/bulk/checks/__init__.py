"""Rows looked at together: checked a column at a time, compared with each other, doubted."""
