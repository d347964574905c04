"""Converted files in the hands of the targets' own code: it takes them, and opens each image.

A file that was not converted fails both a check for the provider and its code, where the code can tell.
"""

from __future__ import annotations

import base64
import copy
import json
import zlib
from pathlib import Path
from typing import NamedTuple

import pytest
from forms import FORMS
from targets.environments import JudgedFile, run_judge, run_program
from test_round_trips import BUCKET, random_chats

from pytest_vft import build_dataset, build_example, convert, lint, write_jsonl
from pytest_vft.catalogue.cases import data_url, draw
from pytest_vft.catalogue.providers import load_provider
from pytest_vft.formats.writers.base import TRAINING_LOSSES
from pytest_vft.model import Finding, Report

BOOKS = Path(__file__).parents[2] / "examples" / "books" / "train.jsonl"


class Target(NamedTuple):
    """The code of a provider: a judge of judges.py in an environment.

    *opens* says that the code opens images. *rule* fails in a check of OpenAI's format for the provider, and
    the code says *problem* then; both are None where the code cannot tell.
    """

    environment: str
    judge: str
    opens: bool = False
    rule: str | None = None
    problem: str | None = None


# Nothing of openai, azure, fireworks and bedrock-llama runs offline.
TARGETS = {
    "together": Target("current", "together", rule="example/mixed-content", problem="all in multimodal or"),
    "trl": Target("current", "trl", opens=True, rule="file/missing-images-column"),
    "axolotl": Target("current", "processor", opens=True),
    "unsloth": Target("current", "processor", opens=True),
    "swift": Target("older", "swift", opens=True),
    "llamafactory": Target(
        "older", "llamafactory", opens=True, rule="message/list-content", problem="ArrowInvalid"
    ),
    "bedrock-nova": Target(
        "current", "nova", opens=True, rule="example/invalid-shape", problem="Validation failed"
    ),
    "vertex": Target(
        "current", "google_genai", opens=True, rule="example/invalid-shape", problem="KeyError: 'contents'"
    ),
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def converted(source: str | Path, to: str, out: str) -> tuple[Path, Report]:
    """Return *source* converted for the provider *to* into *out*, whatever is lost, and its check."""
    in_bucket = {"image_prefix": BUCKET.get(to, ""), "bucket_owner": "123456789012"}
    result = convert(source, to=to, out=out, allow_loss=TRAINING_LOSSES, drop=True, **in_bucket)
    assert result.report is not None
    return Path(result.outputs[0].path), result.report


def wrong(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.severity == "error"]


@pytest.mark.parametrize("to", TARGETS)
def test_the_target_takes_what_passes_the_check_and_nothing_else(to: str) -> None:
    target = TARGETS[to]
    books, report = converted(BOOKS, to, "books")
    write_jsonl("chats.jsonl", random_chats())
    sources = [Path("chats.jsonl"), calls()]
    # Nova Forge has no validator of preferences, and Unsloth hands them to TRL.
    if to not in ("bedrock-nova", "unsloth"):
        sources.append(preferences())
    others = [converted(path, to, f"{path.stem}-out") for path in sources]
    counts = [(24, 72), *(sound_lines(*one) for one in others)]
    files = (books, *(path for path, _ in others), BOOKS)

    *taken, unconverted = run_judge(target.environment, target.judge, *files)

    assert wrong(report) == []
    assert sum(images for _, images in counts) > 72
    for verdict, (rows, images) in zip(taken, counts, strict=True):
        assert verdict == JudgedFile(rows, images if target.opens else None, None)
    if target.rule:
        report = lint(BOOKS, provider=to, data_format=load_provider(to).data_formats[0])
        assert target.rule in {finding.rule for finding in wrong(report)}
        if target.problem:
            assert target.problem in str(unconverted.problem)
        else:  # TRL trains on the words, and does not open an image
            assert unconverted == JudgedFile(24, 0, None)


@pytest.mark.parametrize("to", ["trl", "together", "llamafactory"])
def test_the_target_takes_what_is_built(to: str) -> None:
    target = TARGETS[to]
    write_photos(20)
    rows = [{"question": f"Which lot {n}?", "answer": f"Lot {n}.", "image": f"{n}.png"} for n in range(20)]
    built = build_dataset(rows, to=to, out="built", split="60/40", exact=True, few_shot=1, system="Be brief.")

    assert built.ok
    found = run_judge(target.environment, target.judge, *(Path(one.path) for one in built.splits))

    counts = [one.examples for one in built.splits]
    assert counts == [11, 8]
    assert found == [JudgedFile(n, 2 * n if target.opens else None, None) for n in counts]


# What a user writes, with packages of another environment.
BUILD = """
import sys
sys.path.extend(sys.argv[1:])
from datasets import Dataset, Image, List
from pytest_vft import build_dataset
rows = {
    "questions": [[f"Which lot {n}?", f"Is it {n}?"] for n in range(20)],
    "answers": [[f"Lot {n}.", "Yes."] for n in range(20)],
    "image": [f"{n}.png" for n in range(20)],
}
dataset = Dataset.from_dict(rows).cast_column("image", Image())
assert dataset[0]["image"].size == (64, 64)
result = build_dataset(dataset, out="built", split="50/0/50", exact=True)
assert result.ok and [one.examples for one in result.splits] == [20, 20], result
lists = dataset.map(lambda row: {"images": [row["image"]]}, remove_columns="image")
lists = lists.cast_column("images", List(Image()))
assert build_dataset(lists, out="lists", split="50/0/50", exact=True).ok
"""


def test_a_dataset_of_hugging_face_is_built_with_its_images_as_they_are() -> None:
    write_photos(20)

    run_program("current", BUILD)

    for folder in ("built", "lists"):
        written = "".join(Path(folder, f"{split}.jsonl").read_text() for split in ("train", "test"))
        photos = [base64.b64encode(Path(f"{n}.png").read_bytes()).decode() for n in range(20)]
        assert [written.count(photo) for photo in photos] == [2] * 20


def write_photos(number: int) -> None:
    """Write images, each with a comment that is lost where an image is saved again."""
    for n in range(number):
        data = draw(f"png {64 + n}x64 rgb")[1]
        text = b"tEXtComment\0" + str(n).encode()
        chunk = (len(text) - 4).to_bytes(4) + text + zlib.crc32(text).to_bytes(4)
        Path(f"{n}.png").write_bytes(data[:33] + chunk + data[33:])  # behind the header


def test_a_table_has_images_that_trl_opens() -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    images = [{"bytes": draw("png 64x64 rgb")[1], "path": None}]
    rows = [{"messages": FORMS["trl"].example(n, "")["messages"], "images": images} for n in range(12)]
    parquet.write_table(pa.Table.from_pylist(rows), "cards.parquet")
    path, _ = converted("cards.parquet", "trl", "out")

    (verdict,) = run_judge("current", "trl", path)

    assert (path.suffix, verdict) == (".parquet", JudgedFile(12, 12, None))


def calls() -> Path:
    """Write examples that call a tool, examples with a refusal, and others, with an image each."""
    asked, answer = build_example("Which lot?", "Lot 7.", data_url("png 64x64 rgb"))["messages"]
    call = {"id": "a", "type": "function", "function": {"name": "find", "arguments": '{"lot":7}'}}
    called = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "7", "tool_call_id": "a"},
    ]
    tools = [
        {
            "type": "function",
            "function": {"name": "find", "description": "Finds.", "parameters": {"type": "object"}},
        }
    ]
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    kinds = [
        {"messages": [asked, *called, answer], "tools": tools, "parallel_tool_calls": False},
        {"messages": [asked, refused]},
        {"messages": [asked, answer]},
    ]
    write_jsonl("calls.jsonl", kinds * 4)
    return Path("calls.jsonl")


def test_amazon_takes_tools_that_are_written_for_others_than_bedrock() -> None:
    chats = [json.loads(line) for line in calls().read_bytes().splitlines() if b"tool_calls" in line]
    second = copy.deepcopy(chats[0]["messages"][1:3])
    second[0]["tool_calls"][0]["id"] = second[1]["tool_call_id"] = "b"
    for chat in chats:
        chat["messages"][3:3] = second
    write_jsonl("called.jsonl", chats)

    result = convert(
        "called.jsonl", to="bedrock", out="out", image_prefix="s3://acme/", bucket_owner="123456789012"
    )
    (verdict,) = run_judge("current", "nova", Path(result.outputs[0].path))

    assert dict(result.losses) == {"key parallel_tool_calls": 4}
    assert verdict == JudgedFile(4, 4, None)


def preferences() -> Path:
    """Write examples with two answers, and an image each."""
    asked = build_example("Which fruit?", "A pear.", data_url("png 64x64 rgb"))["messages"][:1]
    answers = [[{"role": "assistant", "content": f"{fruit}."}] for fruit in ("A pear", "An apple")]
    one = {"input": {"messages": asked}, "preferred_output": answers[0], "non_preferred_output": answers[1]}
    write_jsonl("preferences.jsonl", [one] * 12)
    return Path("preferences.jsonl")


def sound_lines(path: Path, report: Report) -> tuple[int, int]:
    """Remove the lines with errors from the file; return the numbers of its lines and images."""
    errors = {finding.line for finding in wrong(report)}
    if report.provider == "bedrock-nova":  # whose validator refuses what is a warning: Bedrock may take it
        errors |= {one.line for one in report.findings if one.rule == "message/empty-content"}
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for number, line in enumerate(lines, 1) if number not in errors))
    (left,) = lint(path, provider=report.provider, data_format=report.files[0].data_format).files
    return left.examples, left.images
