"""The pytest plugin, by real runs of pytest."""
