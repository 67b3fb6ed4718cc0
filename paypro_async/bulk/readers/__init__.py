"""Files in: each reader gives rows of text, with their place in the file."""
