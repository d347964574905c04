"""Hooks and items of the plugin, imported only if an argument of pytest asks for them."""
