"""An evaluation with everything that its page can show: two models, a judge, groups, and its cost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from evaluation.server import Reply, Request, question_of, serving

from pytest_vft import build_example, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main

# Numbers of closed questions are even, those of open ones odd.
WRONG = {"now.jsonl": (2, 3, 5, 8), "before.jsonl": (3, 4, 5, 6, 8)}
QUESTIONS = 24


def write_questions(path: str = "test.jsonl", questions: int = QUESTIONS) -> str:
    """Write a test split with an image for each question."""
    lines = [
        build_example(f"What is this? [{n}]", truth(n), data_url(f"png {16 + n % 40}x{20 + n // 40} l"))
        | {"type": "shape" if n % 3 else "colour"}
        for n in range(questions)
    ]
    write_jsonl(path, lines)
    return path


def truth(number: int) -> str:
    if number % 2:
        return f"Square {number}"
    return "Yes" if number % 4 else "No"


def write_answers(path: str, wrong: Iterable[int], questions: int = QUESTIONS) -> str:
    wrong = set(wrong)
    said = {n: f"Not {truth(n)}" if n in wrong else truth(n) for n in range(questions)}
    write_jsonl(path, [{"id": n, "prediction": text} for n, text in said.items()])
    return path


def rate(request: Request, _: int) -> Reply:
    (found,) = re.findall(r"<data>\n(.*)\n</data>", question_of(request))
    data: Mapping[str, str] = json.loads(found)
    right = data["given_answer"] == data["true_answer"]
    reason = "Both name the same square." if right else "It denies what the true answer says."
    return Reply(json.dumps({"reason": reason, "rating": "Very Similar" if right else "Incorrect"}))


def judge(
    *options: str, predictions: str = "now.jsonl", answering: Callable[[Request, int], Reply] = rate
) -> int:
    """Run `vft eval` with a judge on loopback that rates by *answering*; return the exit code."""
    with serving(answering) as endpoint:
        asked = ["--judge=judge-1", f"--judge-url={endpoint.url}", "--judge-prices=2.5,10"]
        return main(["eval", predictions, "--test=test.jsonl", *asked, *options])


def write_everything() -> None:
    write_questions()
    for path, wrong in WRONG.items():
        write_answers(path, wrong)
    labels = [{"id": n, "rating": "Incorrect" if n in (3, 7) else "Very Similar"} for n in (1, 3, 7, 9)]
    Path("labels.jsonl").write_text("".join(json.dumps(label) + "\n" for label in labels))
