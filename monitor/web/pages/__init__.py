"""The console's pages, one module each, with a `router`."""
