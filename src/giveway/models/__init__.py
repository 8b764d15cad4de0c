"""Builds the models of the catalog with seeded random weights."""
