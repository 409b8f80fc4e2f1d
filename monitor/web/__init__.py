"""The console, the API and the endpoints for machines. Needs the extra `console`; imported only by what serves it."""
