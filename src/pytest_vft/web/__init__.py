"""Fetch images behind URLs, once, before the check; private addresses and server limits are respected."""
