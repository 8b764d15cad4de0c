"""A module that is no policy, and that ends the importing process."""

raise SystemExit(3)
