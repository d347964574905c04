"""Tests of what is behind URLs; every server listens on loopback."""
