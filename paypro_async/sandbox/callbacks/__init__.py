"""The platform's callbacks: what they say, to whom they may go, when, and what came of each."""
