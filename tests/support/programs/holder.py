"""Holds the write lock of the file that it is given, until its standard input ends.

The second argument is the file's journal mode: ``wal``, or ``delete`` for one that no ledger has opened yet.
"""

import sqlite3
import sys

file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute(f"PRAGMA journal_mode={sys.argv[2]}")
file.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
