"""Tests of what judges predictions; server.py is an endpoint on loopback."""
