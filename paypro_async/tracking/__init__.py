"""What becomes of payouts after they were sent: learned from callbacks and queries, waited for, and told."""
