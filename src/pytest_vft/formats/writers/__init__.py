"""Writers: one module for each data format, which writes a conversation as an example of the format.

To add one, write a module with a Writer and list it in formats/registry.py.
"""
