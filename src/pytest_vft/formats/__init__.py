"""Data formats: one module each, which reads an example into a chat and writes one from a chat.

    name        how an example is written
    openai      messages of OpenAI's chat format, images as image_url parts

To add a format, write a module with a DataFormat and name it in formats/registry.py.
"""
