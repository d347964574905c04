"""Images behind URLs are known by their content: placeholders, copies, conflicts and leaks."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from pytest_vft import Report, build_example, lint, write_jsonl
from pytest_vft.reading.image_store import ImageStore, content_key

from .server import NOISE, Server, picture

pytestmark = pytest.mark.usefixtures("online")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def embedded(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def write(name: str, *images: str, question: str = "What is this?", answer: str = "Lot {}.") -> str:
    rows = [build_example(question.format(n), answer.format(n), url) for n, url in enumerate(images, 1)]
    write_jsonl(name, rows)
    return name


def check(*names: str, validation: str = "", select: str = "dataset", **settings: object) -> Report:
    more = {"validation": validation} if validation else {}
    return lint(*names, select=[select, "image"], allow_private=True, cache=False, **more, **settings)


def texts(report: Report) -> list[tuple[str, int | None, str, str]]:
    return [(one.path, one.line, one.rule.partition("/")[2], one.message) for one in report.findings]


def test_a_key_is_that_of_a_data_url() -> None:
    key, _ = ImageStore(full=False).look_up(base64.b64encode(NOISE).decode())

    assert content_key(NOISE) == key


def test_different_images_behind_urls_are_ordinary(server: Server) -> None:
    urls = [f"http://127.0.0.1:{server.port}/ok/{number}" for number in range(15)]

    assert texts(check(write("train.jsonl", *urls))) == []


def test_a_placeholder_is_found_on_each_of_its_lines(server: Server) -> None:
    base = f"http://127.0.0.1:{server.port}"
    names = [f"{'ok' if number % 3 == 0 else 'gone'}/{number + 1}" for number in range(15)]
    questions = write("train.jsonl", *(f"{base}/{name}" for name in names), question="What is on crate {}?")
    report = check(questions)

    assert texts(report) == [
        ("train.jsonl", line, "one-image-many-urls", "10 URLs yield this image; expected at most 3")
        for line in (2, 3, 5, 6, 8, 9, 11, 12, 14, 15)
    ]
    (result,) = (rule for rule in report.rules if rule.id == "dataset/one-image-many-urls")
    assert (report.ok, result.tally.failed, result.tally.passed) == (True, 1, 5)
    assert report.files[0].distinct_images == 6


def test_copies_and_conflicts_behind_urls_are_found(server: Server) -> None:
    base = f"http://127.0.0.1:{server.port}"
    copies = check(write("train.jsonl", f"{base}/ok/1", embedded(picture(1)), answer="A lot."))
    conflicts = check(write("train.jsonl", f"{base}/ok/1", f"{base}/ok/1?again"))

    assert [one[1:3] for one in texts(copies)] == [(2, "duplicate-example")]
    assert [one[1:3] for one in texts(conflicts)] == [(2, "conflicting-answers")]


def test_leaks_behind_urls_are_found(server: Server) -> None:
    train = write("train.jsonl", embedded(picture(1)), embedded(picture(2)))
    held_out = write("validation.jsonl", f"http://127.0.0.1:{server.port}/ok/2")
    report = check(train, validation=held_out)

    assert [one[:3] for one in texts(report)] == [("validation.jsonl", 1, "split-leak")]
    assert texts(check(train, validation=held_out, offline=True)) == []


def test_images_that_look_alike_are_found_whatever_carries_them(server: Server) -> None:
    Path("copy.png").write_bytes(picture(4))
    carried = {
        "train": {"base64": base64.b64encode(picture(1)).decode()},
        "validation": {"path": "copy.png"},
        "test": {"url": f"http://127.0.0.1:{server.port}/ok/8"},
    }
    for split, image in carried.items():
        content = [{"type": "text", "text": f"What is in {split}?"}, {"type": "image", **image}]
        answer = {"role": "assistant", "content": [{"type": "text", "text": split}]}
        Path(f"{split}.jsonl").write_text(
            json.dumps({"messages": [{"role": "user", "content": content}, answer]})
        )

    report = check("train.jsonl", validation="validation.jsonl", test="test.jsonl", depth="full")

    assert {one.data_format for one in report.files} == {"axolotl"}
    assert [one[:3] for one in texts(report)] == [
        (f"{split}.jsonl", 1, "near-split-leak") for split in ("validation", "test")
    ]


@pytest.mark.parametrize(("depth", "found"), [("header", 0), ("full", 1)])
def test_the_content_is_known_once_the_whole_body_was_read(server: Server, depth: str, found: int) -> None:
    base = f"http://127.0.0.1:{server.port}"
    report = check(
        write("train.jsonl", *(f"{base}/noise.jpg?{n}" for n in range(2)), answer="A."), depth=depth
    )

    assert len(report.findings) == found


def test_what_was_not_fetched_is_unknown() -> None:
    name = write("train.jsonl", *(f"http://a.example/{number}.png" for number in range(5)))
    offline = check(name, offline=True, require_checked=True)
    (result,) = (rule for rule in offline.rules if rule.id == "dataset/one-image-many-urls")

    assert (result.tally.unknown, result.tally.checked) == (5, 0)
    assert not offline.ok


def test_a_rule_alone_finds_what_it_finds_among_others(server: Server) -> None:
    urls = [f"http://127.0.0.1:{server.port}/gone/{number}?alone" for number in range(4)]
    name = write("train.jsonl", *urls, question="What is on crate {}?")
    report = lint(name, select=["dataset/one-image-many-urls"], allow_private=True, cache=False)

    assert len(report.findings) == 4


def test_a_second_run_knows_the_content_from_the_cache(server: Server) -> None:
    urls = [f"http://127.0.0.1:{server.port}/gone/{number}?cached" for number in range(4)]
    name = write("train.jsonl", *urls, question="What is on crate {}?")
    reports = [lint(name, select=["dataset", "image"], allow_private=True) for _ in range(2)]

    assert len(reports[0].findings) == 4
    assert texts(reports[0]) == texts(reports[1])
    assert {server.paths[url.partition(str(server.port))[2]] for url in urls} == {1}
