"""dataset_info.json of LLaMA-Factory, which describes the files of its folder.

Source: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md, read 2026-11-29.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from pytest_vft.regular_files import regular
from pytest_vft.text import count, either, safe

DATASET_INFO = "dataset_info.json"
_LARGEST = 4 * 1024 * 1024  # bytes; that of LLaMA-Factory has 18 kB for 90 datasets
_SOURCES = frozenset({"file_name", "hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name"})
_FORMATTINGS = ("alpaca", "sharegpt", "openai")
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


class Description(NamedTuple):
    """What a dataset_info.json says of a file: its layout, and what is wrong or ambiguous."""

    layout: Mapping[str, str] | None = None
    trouble: str = ""


class DatasetInfo(NamedTuple):
    """The datasets of a dataset_info.json by name, none without such a file; or why it is not used."""

    datasets: Mapping[str, Any] = {}
    trouble: str = ""


def read_description(path: str, read: Callable[[str], DatasetInfo] | None = None) -> Description:
    """Return what a dataset_info.json beside the file at *path* says of it, if there is one.

    The layout has the name of the dataset, its formatting, and its columns and tags by name; it is None if
    no dataset has the file. "unusable" says why the trainer cannot use the description. The first dataset
    whose formatting is known counts. *read* is read_dataset_info(), by default, or a cache of it.
    """
    folder, name = os.path.split(path)
    info = (read or read_dataset_info)(folder)
    if not info.datasets:
        return Description(trouble=info.trouble)
    return _described(name, {key: one for key, one in info.datasets.items() if _is_of(one, name)})


def described_files(path: str) -> Sequence[str] | None:
    """Return the files that the dataset_info.json at *path* describes; None for any other file."""
    folder, name = os.path.split(path)
    datasets = read_dataset_info(folder).datasets.values() if name == DATASET_INFO else ()
    described = [one for one in datasets if isinstance(one, dict) and not _SOURCES.isdisjoint(one)]
    if not described:
        return None
    names = dict.fromkeys(one["file_name"] for one in described if isinstance(one.get("file_name"), str))
    return [os.path.join(folder, name) for name in names]  # noqa: PTH118 - a path as the user wrote it


def read_dataset_info(folder: str) -> DatasetInfo:
    """Return the content of the dataset_info.json in *folder*; never raises."""
    try:
        with open(os.path.join(folder, DATASET_INFO), "rb", opener=regular) as file:  # noqa: PTH118 - a path as the user wrote it
            content = file.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return DatasetInfo()
    except (OSError, ValueError) as error:  # ValueError for a path with a NUL
        reason = error.strerror if isinstance(error, OSError) else None
        return DatasetInfo(trouble=f"not used: {reason or type(error).__name__}")
    if len(content) > _LARGEST:
        return DatasetInfo(trouble=f"not used: it is larger than {_LARGEST:,} bytes")
    try:
        datasets = orjson.loads(content)
    except orjson.JSONDecodeError:
        return DatasetInfo(trouble="not used: it is not JSON")
    if not isinstance(datasets, dict):
        return DatasetInfo(trouble="not used: it is not an object with datasets by name")
    return DatasetInfo(datasets)


def _is_of(described: Any, name: str) -> bool:
    file_name = described.get("file_name") if isinstance(described, dict) else None
    return isinstance(file_name, str) and os.path.normpath(file_name) == name


def _described(name: str, datasets: Mapping[str, Mapping[str, Any]]) -> Description:
    """Return what the first of *datasets* with a known formatting says of the file *name*."""
    usable = [key for key, one in datasets.items() if one.get("formatting", "alpaca") in _FORMATTINGS]
    if not usable:
        odd = next(iter(datasets), None)
        if odd is None:
            return Description()
        return Description(
            trouble=f"the dataset {safe(odd)} has the formatting {safe(datasets[odd]['formatting'])}; "
            f"expected {either(_FORMATTINGS)}"
        )
    trouble = ""
    if len(datasets) > 1:
        trouble = (
            f"{count(len(datasets), 'dataset')} have the file {safe(name, None)}; the first with a known "
            f"formatting is used: {safe(usable[0])}"
        )
    return Description(_layout(usable[0], datasets[usable[0]]), trouble)


def _layout(dataset: str, described: Mapping[str, Any]) -> Mapping[str, str]:
    formatting = described.get("formatting", "alpaca")
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
