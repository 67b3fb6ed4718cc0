"""Connections: who has one next, how long they rest, what the kernel knows of them."""
