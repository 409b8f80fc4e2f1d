"""How orders come in: files read row by row, and the rows put on watch."""
