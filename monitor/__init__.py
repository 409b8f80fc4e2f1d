"""The daemon: all the I/O. Polls, sweeps, delivers; commands and pages."""
