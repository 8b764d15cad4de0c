"""Scenarios: the files, their schema, and the values that a file is read into."""
