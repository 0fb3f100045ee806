"""Explains why a job is in its state, and finds what is wrong with stored jobs."""
