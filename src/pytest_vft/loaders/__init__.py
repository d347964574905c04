"""The readers of providers themselves, run in a process of their own."""
