"""The checks and the report of ``giveway doctor``."""
