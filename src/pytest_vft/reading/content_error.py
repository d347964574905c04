"""The error of a file whose content cannot be read."""

from __future__ import annotations


class ContentError(OSError):
    """The content of a file cannot be read, on any machine; strerror says why."""
