"""Files in: each reader gives rows of text, each with its line in the file."""
