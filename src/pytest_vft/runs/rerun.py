"""The wrong answers of an evaluation: a list of their ids, and the command that evaluates only them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.judge import Judge
from pytest_vft.evaluation.predictions import Keys
from pytest_vft.evaluation.questions import ID_PATTERN
from pytest_vft.evaluation.scoring import Scoring
from pytest_vft.reading.sqlite import FOLDER, make_folder
from pytest_vft.runs.config import relative_path
from pytest_vft.writing import write_text


def cache_path(name: str) -> Path:
    """Return the path of the file *name* in the cache, whose folder is created if it does not exist."""
    folder = Path(FOLDER)
    make_folder(folder)
    return folder / name


def write_wrong_ids(gate: Gate, predictions: str) -> Path:
    """Write the ids of the wrong answers of *gate*, one per line, to a file in the cache; return its path."""
    kind = f"-{gate.kind}" if gate.kind else ""
    path = cache_path(f"wrong-{_list_name(predictions)}{kind}.txt")
    ids = dict.fromkeys(mark.answer.id for mark in gate.wrong)
    write_text(path, "".join(f"{id_}\n" for id_ in ids), errors="backslashreplace")
    return path


def _list_name(path: str) -> str:
    """Return a name for lists about the file at *path*, different for files of one name in two folders."""
    relative = relative_path(path)
    plain = Path(relative).stem
    if relative == f"{plain}.jsonl":
        return plain
    return f"{plain}-{hashlib.sha256(os.fsencode(relative)).hexdigest()[:8]}"


def rerun_command(  # noqa: PLR0913 - what decides which answers are right
    predictions: str,
    ids: Path,
    scoring: Scoring,
    *,
    test: str | None,
    keys: Keys,
    id_pattern: str,
    data_format: str | None,
    image_roots: Sequence[str],
) -> list[str]:
    """Return the command that evaluates only the answers listed in the file *ids*, by *scoring*."""
    default, default_keys = Scoring(), Keys()
    given = {name: getattr(keys, name) for name in ("id", "predicted", "actual")}
    options = {
        "test": test,
        "ids": f"@{ids}",
        "keys": ",".join(
            f"{name}={names[0]}" for name, names in given.items() if names != getattr(default_keys, name)
        ),
        "field": keys.field,
        "id-pattern": "" if id_pattern == ID_PATTERN else id_pattern,
        "data-format": data_format,
        "metric": scoring.metric,
        "normalise": "" if scoring.normalise == default.normalise else scoring.normalise,
        "min-f1": "" if scoring.min_f1 == default.min_f1 else f"{scoring.min_f1:g}",
        "choices": ",".join(scoring.choices),
        **(_judge_options(scoring.judge) if scoring.judge else {}),
    }
    roots = [f"--image-root={root}" for root in image_roots]
    return ["vft", "eval", predictions, *_written(options), *roots]


def _judge_options(judge: Judge) -> dict[str, str | bool | None]:
    """Return the options that make *judge* rate the same answers in the same way."""
    default = Judge(model=judge.model)
    return {
        "judge": judge.model,
        "judge-url": judge.base_url,
        "provider": "" if judge.provider == default.provider else judge.provider,
        "judge-images": judge.images,
        "judge-itself": judge.may_judge_itself,
        "passing": "" if judge.passing == default.passing else ",".join(judge.passing),
        "max-ungraded": "" if judge.max_ungraded == default.max_ungraded else f"{judge.max_ungraded:g}",
    }


def _written(options: Mapping[str, str | bool | None]) -> Iterator[str]:
    """Yield *options* as arguments of a command, without options that have no value."""
    for name, value in options.items():
        if value:
            yield f"--{name}" if value is True else f"--{name}={value}"
