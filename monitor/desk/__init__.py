"""What happens to a ticket."""
