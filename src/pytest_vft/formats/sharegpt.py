"""The format of ShareGPT and LLaVA: conversations of human and gpt, with images beside them."""

from __future__ import annotations

from pytest_vft.formats.forms import FormsFormat
from pytest_vft.formats.tagged import COLUMNS, SHAREGPT, conversation_form


class ShareGpt(FormsFormat):
    """{"conversations": [{"from": "human", "value": "<image>..."}, ...], "image": "..."}."""

    name = "sharegpt"

    def __init__(self) -> None:
        super().__init__([conversation_form(SHAREGPT, COLUMNS, key="conversations")])
