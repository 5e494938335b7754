"""Pulling: contracts, sources, pseudonyms, landing and the loader."""
