"""What is broken and what is about to be: clocks, policies and verdicts. Pure: no I/O here."""
