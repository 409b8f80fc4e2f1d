"""What the demo's page shows: read from the store and the groups, drawn once for HTML and for the script."""
