"""The lab: what a policy would have said of the past. Imports pandas (extra `lab`); commands import it late."""
