"""Oracles: the marts' definitions again, in plain Python, slow and obvious."""
