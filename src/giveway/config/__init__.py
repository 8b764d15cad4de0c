"""Settings of programs in configuration files and in the environment."""
