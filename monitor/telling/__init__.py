"""Telling the groups: what is said, to whom, how many at once, and that it arrived."""
