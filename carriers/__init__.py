"""Tracking providers, one file each: what to ask, how to read the answer. Pure: no I/O here."""
