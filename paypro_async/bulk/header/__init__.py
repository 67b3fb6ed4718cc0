"""The header of a file: what its columns are called, and which field each holds."""
