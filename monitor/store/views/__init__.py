"""What the console and the API read: one module per page, each query bounded and paged by cursor. Nothing is written here."""
