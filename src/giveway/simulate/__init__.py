"""Policies and the scheduler on virtual time."""
