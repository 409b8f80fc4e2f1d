"""What is kept: one database, the same code on SQLite and PostgreSQL."""
