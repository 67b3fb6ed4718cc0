"""What a batch or a file came to: its rows, and their report for people and for programs."""
