"""Chat platforms, one file each: what to send, how to read the receipt. Pure: no I/O here."""
