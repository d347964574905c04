"""Data formats: one module each, which reads an example into a chat and writes a chat as an example.

    name        form of an example
    openai      messages of OpenAI's chat format, images as image_url parts

To add a format, write a module with a DataFormat and list it in formats/registry.py.
"""
