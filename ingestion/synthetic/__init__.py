"""Simulated worlds whose truth is known, and the servers that show them."""
