"""Policies and the simulator on virtual time."""
