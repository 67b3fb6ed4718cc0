"""What cells hold: amounts as people write them, characters that nobody sees, lines that are no payouts."""
