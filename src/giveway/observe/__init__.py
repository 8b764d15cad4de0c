"""The programs and tasks of this machine, as an observer sees them."""
