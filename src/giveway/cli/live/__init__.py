"""The live views of ``giveway top``."""
