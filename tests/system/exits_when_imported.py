"""A module that is no policy, and ends who imports it."""

raise SystemExit(3)
