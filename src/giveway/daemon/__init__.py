"""The daemon: puts a policy in service for all devices of one user."""
