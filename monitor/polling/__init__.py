"""Asking the carriers: what may be asked, what it costs, how far an answer is believed, and keeping it."""
