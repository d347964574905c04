"""dataset_info.json of LLaMA-Factory, which describes the files of its folder.

Source: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md, read 2026-11-29.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import orjson

from pytest_vft.regular_files import regular

DATASET_INFO = "dataset_info.json"
_LARGEST = 4 * 1024 * 1024  # bytes; that of LLaMA-Factory has 18 kB for 90 datasets
# What holds for a dataset without columns, and for one without tags.
_COLUMNS = {"messages": "conversations", "prompt": "instruction", "query": "input", "response": "output"}
_TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}


def read_layout(path: str) -> Mapping[str, str] | None:
    """Return how the file at *path* is described in a dataset_info.json beside it; None if it is not.

    The layout has the name of the dataset, its formatting, and its columns and tags by name; "unusable" says
    why the trainer cannot use the description.
    """
    folder, name = os.path.split(path)
    try:
        with open(os.path.join(folder, DATASET_INFO), "rb", opener=regular) as file:  # noqa: PTH118 - a path as the user wrote it
            datasets = orjson.loads(file.read(_LARGEST))
    except (OSError, ValueError):  # JSON errors are ValueErrors
        return None
    if not isinstance(datasets, dict):
        return None
    for dataset, described in datasets.items():
        if isinstance(described, dict) and described.get("file_name") == name:
            return _layout(dataset, described)
    return None


def _layout(dataset: str, described: Mapping[str, Any]) -> Mapping[str, str] | None:
    formatting = described.get("formatting", "alpaca")
    if formatting not in ("alpaca", "sharegpt", "openai"):
        return None
    columns = _named(described.get("columns"), _COLUMNS)
    unusable = _unusable(formatting, columns, ranking=bool(described.get("ranking")))
    if unusable:
        return {"dataset": dataset, "formatting": formatting, "unusable": unusable}
    if not described.get("ranking"):
        columns = {name: key for name, key in columns.items() if name not in ("chosen", "rejected")}
    return {"dataset": dataset, "formatting": formatting, **columns, **_named(described.get("tags"), _TAGS)}


def _unusable(formatting: str, columns: Mapping[str, str], *, ranking: bool) -> str | None:
    """Return why the trainer ends with a KeyError for each example; None if it does not.

    Columns that are given replace all default ones. Source: https://pypi.org/project/llamafactory/0.9.5/,
    llamafactory/data/parser.py and converter.py, read 2026-11-29.
    """
    if formatting != "alpaca" and "messages" not in columns:
        return "has columns without messages; expected the key of the messages"
    if ranking and "kto_tag" not in columns and not {"chosen", "rejected"} <= columns.keys():
        return "has ranking without the columns chosen and rejected; expected both"
    return None


def _named(given: Any, default: Mapping[str, str]) -> Mapping[str, str]:
    """Return the names that are *given*, else all of *default*."""
    if not isinstance(given, dict):
        return default
    return {name: key for name, key in given.items() if isinstance(key, str)}
