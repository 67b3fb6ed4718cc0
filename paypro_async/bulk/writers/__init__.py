"""Files out: each writer gives a file's rows back, each with what became of it."""
