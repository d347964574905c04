"""Data formats: one module each, which reads an example into a chat.

    name               form of an example
    openai             messages of OpenAI's chat format, images as image_url parts
    openai-preference  such messages and two answers
    sharegpt           conversations of human and gpt, images beside them (LLaVA)
    llamafactory       messages, conversations or instructions with <image> in texts, images beside them
    trl                messages with parts, or a prompt with its answers, images beside them
    swift              messages or a query with its response, images in parts or beside them
    axolotl            OpenAI's messages, images as parts with a path, url, base64 or image
    gemini             contents of user and model with parts, images as fileData or inlineData
    bedrock            messages of the Converse API, images in S3 or as bytes

To add a format, write a module with a DataFormat and list it in formats/registry.py.
"""
