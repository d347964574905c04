"""Repairs of what rules find, one module each; `engine` modules find the values and put them back."""
