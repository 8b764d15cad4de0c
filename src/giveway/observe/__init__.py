"""The programs and tasks of this machine, for observers."""
