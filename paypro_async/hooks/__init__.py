"""What a client with hooks has beside the others."""
