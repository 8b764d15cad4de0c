"""The models that a scenario can name, built with seeded random weights."""
