"""What commands write: all or nothing, nothing lost, nothing overwritten."""

from __future__ import annotations

import csv
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vft import build_example
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main
from pytest_vft.errors import UsageError
from pytest_vft.formats.registry import load_format
from pytest_vft.model import Finding
from pytest_vft.output_summary import OutputSummary
from pytest_vft.outputs.aside import DropLimit, drop_limit, set_aside
from pytest_vft.outputs.entries import EntryWriter
from pytest_vft.outputs.folder import output_folder
from pytest_vft.outputs.keys import part_key
from pytest_vft.outputs.names import origins_path, output_targets
from pytest_vft.outputs.origin import origins, read_origins
from pytest_vft.outputs.staging import STAGING
from pytest_vft.reading.entries import FileEntry, read_entries
from pytest_vft.reading.files import ARRAY, open_file
from pytest_vft.reading.shards import LongLine, Shard
from pytest_vft.report.outputs import output_lines, sum_of

ALL = DropLimit(drop=True)


def bad(entry: FileEntry, path: str, message: str = "is bad") -> Finding:
    return Finding(
        rule="test/bad",
        severity="error",
        path=path,
        line=entry.line,
        pointer="",
        message=message,
        advice="None.",
        element=entry.position,
    )


def sift(  # noqa: PLR0913 - all but two by keyword
    paths: Sequence[Path],
    out: Path | None,
    *,
    force: bool = False,
    limit: DropLimit = ALL,
    message: str = "is bad",
    made: list[str] | None = None,
) -> list[OutputSummary]:
    """Copy the entries of *paths* without those that contain "bad", which are set aside.

    The names of the parts that are not reused are appended to *made*.
    """
    summaries = []
    with ExitStack() as stack:
        targets = output_targets(map(str, paths), out)
        folders = [stack.enter_context(output_folder(target, force=force)) for target in targets]
        for folder in folders:
            for path, name in folder.names.items():
                key = part_key(path, message)
                facts = folder.finished(name, key)
                if facts is None:
                    made = [] if made is None else made
                    made.append(name)
                    opened = open_file(path)
                    in_array = opened.container == ARRAY
                    with (
                        folder.part(name, key) as part,
                        part.open(name) as data,
                        EntryWriter(data, in_array=in_array) as kept,
                        set_aside(part, name, in_array=in_array) as aside,
                        origins(part, name, in_array=in_array) as lines,
                    ):
                        copied = 0
                        for number, entry in enumerate(read_entries(path, "train", opened)):
                            if b"bad" in b"".join(entry.pieces()):
                                aside.add(entry, [bad(entry, path, message)], load_format("openai", {}))
                            else:
                                kept.add(entry.pieces())
                                lines.add(path, f"#{number}" if in_array else str(number + 1))
                                part.add_once("images/1.png", b"an image")
                                copied += 1
                        numbers = {"copied": copied, "aside": aside.number}
                        part.facts |= {"total": copied + aside.number, **numbers}
                    facts = part.facts
                summaries.append(OutputSummary(path=str(folder.path / name), **facts))
        if limit.allows(sum(one.aside for one in summaries)):
            for folder in folders:
                folder.publish()
    return summaries


def content(folder: Path) -> dict[str, bytes]:
    """Return the content of all files in *folder*, hidden ones included, by their names."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def train(tmp_path: Path) -> Path:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b'{"id": 1}\n{"id": 2, "x": "bad"}\r\n\n{"id":3}')
    return path


def test_nothing_aside_copies_the_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b'{"a": 1}\n\n{"b": 2}')

    (summary,) = sift([path], tmp_path / "new" / "out")

    found = content(tmp_path / "new")
    assert found == {"out/train.jsonl": path.read_bytes(), "out/images/1.png": b"an image"}
    assert (summary.total, summary.kept, summary.aside) == (3, 3, 0)


def test_bad_lines_are_set_aside_byte_for_byte(train: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    (summary,) = sift([train], out, message="=1+1 \x1b[31m")

    assert (out / "train.jsonl").read_bytes() == b'{"id": 1}\n\n{"id":3}'
    assert (out / "train.jsonl.rej").read_bytes() == b'{"id": 2, "x": "bad"}\r\n'
    rows = list(csv.DictReader((out / "train.jsonl.rej.csv").read_text(encoding="utf-8").splitlines()))
    assert rows == [
        {
            "line": "2",
            "id": "2",
            "question": "",
            "image": "",
            "rule": "test/bad",
            "message": r"'=1+1 \x1b[31m",
            "severity": "error",
            "file": str(train),
            "repair": "",
        }
    ]
    assert [one.place for one in read_origins(origins_path(str(out / "train.jsonl")))] == ["1", "3", "4"]
    why = f"{out}/train.jsonl.rej.csv"
    assert list(output_lines([summary])) == [
        f"{out}/train.jsonl      3 examples",
        f"{out}/train.jsonl.rej  1 example; {why} has line, id, question, image, rule and message",
    ]
    assert sum_of([summary]) == "3 kept + 1 set aside = 4"


def test_an_array_stays_an_array(tmp_path: Path) -> None:
    path, out = tmp_path / "a.json", tmp_path / "out"
    path.write_text('[\n  {"id": 0},\n  {"id": 1,\n   "x": "bad"}, {"id": 2}\n]')

    sift([path], out)

    assert json.loads((out / "a.json").read_bytes()) == [{"id": 0}, {"id": 2}]
    assert (out / "a.json.rej").read_bytes() == b'[\n{"id": 1,\n   "x": "bad"}\n]\n'
    assert [one.place for one in read_origins(origins_path(str(out / "a.json")))] == ["#0", "#2"]


def test_an_array_without_good_elements_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('["bad"]')

    sift([path], tmp_path / "out")

    assert json.loads((tmp_path / "out" / "a.json").read_bytes()) == []


def test_a_line_too_long_for_memory_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    line = b'{"x": "%s"}\n' % (b"y" * 3_000_000)
    path.write_bytes(b"{}\n" + line)
    entry = FileEntry(LongLine(len(line), newline=True), 2, Shard(str(path), "train", 3, 3 + len(line)))

    assert b"".join(entry.pieces()) == line


LINES = st.lists(
    st.sampled_from([b'{"id": 1}', b"bad", b'{"x": "bad"}', b"", b" \r", b"\xff", b'"\xe2\x80\xa8"'])
)


@settings(deadline=None)  # files are written
@given(lines=LINES, end=st.sampled_from([b"", b"\n"]))
def test_kept_and_set_aside_are_all(
    lines: list[bytes], end: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("sift")
    path, out = folder / "a.jsonl", folder / "out"
    path.write_bytes(b"\n".join(lines) + (end if lines else b""))

    (summary,) = sift([path], out)

    before = split(path.read_bytes())
    kept, aside = split((out / "a.jsonl").read_bytes()), split(read(out / "a.jsonl.rej"))
    assert kept == [line for line in before if b"bad" not in line]
    assert aside == [line for line in before if b"bad" in line]
    assert (summary.total, summary.kept, summary.aside) == (len(before), len(kept), len(aside))
    places = [int(one.place) for one in read_origins(origins_path(str(out / "a.jsonl")))] or range(
        1, len(kept) + 1
    )
    assert [before[place - 1].rstrip(b"\n") for place in places] == [line.rstrip(b"\n") for line in kept]


def split(text: bytes) -> list[bytes]:
    """Return the lines of *text*, without the line break of the last one, which may not have one."""
    lines = text.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def test_numbers_that_do_not_add_up_are_an_internal_error() -> None:
    OutputSummary(path="a", total=4, copied=1, changed=1, aside=1, removed={"blank line": 1})
    with pytest.raises(RuntimeError, match="do not add up"):
        OutputSummary(path="a", total=4, copied=1, changed=1, aside=1)


def test_the_sum_names_what_was_removed() -> None:
    one = OutputSummary(path="a", total=200, copied=100, changed=5, aside=20, removed={"blank line": 75})

    assert sum_of([one, one]) == "210 kept + 40 set aside + 150 blank lines removed = 400"
    assert next(output_lines([one])) == "a      105 examples: 100 copied, 5 changed"


@pytest.mark.parametrize(
    ("limit", "written"),
    [(DropLimit(), False), (DropLimit(True, 0), False), (DropLimit(True, 1), True), (DropLimit(True), True)],
)
def test_without_drop_nothing_is_written(
    limit: DropLimit, *, written: bool, train: Path, tmp_path: Path
) -> None:
    before = content(tmp_path)

    sift([train], tmp_path / "new" / "out", limit=limit)

    assert (content(tmp_path) != before) == written
    assert (tmp_path / "new").exists() == written


def test_a_maximum_needs_drop() -> None:
    assert drop_limit(drop=True, most=3) == DropLimit(True, 3)
    with pytest.raises(UsageError, match=r"^--max-dropped has no effect without --drop"):
        drop_limit(drop=False, most=3)


@pytest.mark.parametrize(
    "name", ["train.jsonl", "train.jsonl.rej", "train.jsonl.rej.csv", "train.jsonl.origin.csv"]
)
def test_an_existing_file_is_an_error_unless_forced(name: str, train: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")

    with pytest.raises(UsageError, match=rf"^{out}/{name}: exists already; --force replaces it$"):
        sift([train], out)
    assert content(out) == {name: b"mine"}

    sift([train], out, force=True)
    assert b"mine" not in content(out).values()


@pytest.mark.parametrize("name", ["train.jsonl", "train.jsonl.rej"])
def test_a_folder_in_place_of_a_file_is_named(name: str, train: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / name).mkdir(parents=True)

    with pytest.raises(UsageError, match=rf"/{name}: is a folder; expected a file, or nothing$"):
        sift([train], tmp_path / "out", force=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_files_that_cannot_be_moved_are_moved_by_the_next_run(
    train: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, replace = tmp_path / "out", os.replace

    def fail_for_data(path: str, target: str) -> None:
        if Path(target) == out / "train.jsonl":
            raise PermissionError(13, "Permission denied", str(target))
        replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", fail_for_data)
        with pytest.raises(PermissionError):
            sift([train], out)
    made: list[str] = []
    sift([train], out, made=made)

    assert not made
    assert content(out).keys() == {
        "images/1.png",
        "train.jsonl",
        "train.jsonl.rej",
        "train.jsonl.rej.csv",
        "train.jsonl.origin.csv",
    }


def test_force_removes_what_belongs_to_the_old_file(train: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sift([train], out)
    train.write_bytes(b"{}\n")
    sift([train], out, force=True)

    assert content(out) == {"train.jsonl": b"{}\n", "images/1.png": b"an image"}


def test_an_image_of_this_name_with_another_content_is_not_replaced(train: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "images").mkdir(parents=True)
    (tmp_path / "out" / "images" / "1.png").write_text("another")

    with pytest.raises(UsageError, match=r"images/1\.png: exists already"):
        sift([train], tmp_path / "out")
    assert content(tmp_path / "out") == {"images/1.png": b"another"}


@pytest.mark.parametrize("kind", ["itself", "hard link", "symbolic link"])
def test_an_input_is_never_written(kind: str, train: Path, tmp_path: Path) -> None:
    before, out = train.read_bytes(), tmp_path / "out"
    if kind == "itself":
        out = tmp_path
    else:
        out.mkdir()
        link = out / "train.jsonl"
        link.hardlink_to(train) if kind == "hard link" else link.symlink_to(train)

    with pytest.raises(UsageError, match=rf"^{train}: this file is read; write to another folder$"):
        sift([train], out, force=True)
    assert train.read_bytes() == before
    assert not (out / STAGING).exists()


def test_two_inputs_with_one_name_are_an_error(tmp_path: Path) -> None:
    for one, two in (("a/x.jsonl", "b/x.jsonl"), ("a/x.jsonl", "b/X.JSONL"), ("a/x.jsonl", "a/x.jsonl.rej")):
        with pytest.raises(UsageError, match=rf"^{one} and {two}: both would be written to "):
            output_targets([one, two], tmp_path)
    assert len(output_targets(["a/x.jsonl", "b/x.jsonl"], None)) == 2


def test_a_file_in_place_of_the_folder_is_named(train: Path) -> None:
    with pytest.raises(UsageError, match=r"train\.jsonl: is a file; expected a folder$"):
        sift([train], train)


def test_a_link_or_a_folder_that_cannot_be_used_is_named(train: Path, tmp_path: Path) -> None:
    for name, target in (("gone", "nowhere"), ("one", "other"), ("other", "one")):
        (tmp_path / name).symlink_to(target)
    words = "is a link to {}, which leads nowhere; remove the link$"
    faults = {
        "gone": rf"gone: {words.format('nowhere')}",
        "gone/deep/er": rf"gone: {words.format('nowhere')}",
        "one": rf"one: {words.format('other')}",
        f"{train.name}/deep": rf"{train.name}: is a file; expected a folder$",
        "x" * 300: "cannot be written to: File name too long; make it writable, or give another folder$",
    }
    for name, message in faults.items():
        with pytest.raises(UsageError, match=message):
            sift([train], tmp_path / name)
    assert not (tmp_path / "nowhere").exists()


def test_a_link_that_leads_elsewhere_is_refused(train: Path, tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "images").symlink_to(elsewhere)
    with pytest.raises(UsageError, match=r"images: is a link; expected a folder$"):
        sift([train], out)

    (out / "images").unlink()
    (out / STAGING).symlink_to(elsewhere)
    with pytest.raises(UsageError, match=rf"{STAGING}: is a link; remove it$"):
        sift([train], out)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["../victim", "/victim", "images/../../victim", "a//b", ""])
def test_a_journal_from_a_stranger_writes_nothing_outside(name: str, train: Path, tmp_path: Path) -> None:
    staging = tmp_path / "out" / STAGING
    staging.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    part: list[Any] = ["key", [name], {}]
    for journal in ({"parts": {"a": part}, "stale": []}, [], {"parts": {"a": ["k"]}, "stale": []}, "x"):
        (staging / "journal").write_text(json.dumps(journal))
        with pytest.raises(UsageError, match="was not written by vft; remove this folder"):
            sift([train], tmp_path / "out")
        staging.mkdir(parents=True, exist_ok=True)
    (staging / "journal").write_text(json.dumps({"parts": {}, "stale": [name]}))
    sift([train], tmp_path / "out")

    assert victim.read_text() == "mine"


def test_a_staged_link_is_not_moved(train: Path, tmp_path: Path) -> None:
    files = tmp_path / "out" / STAGING / "files"
    files.parent.mkdir(parents=True)
    files.symlink_to(tmp_path)
    journal = {"parts": {"a": ["key", ["train.jsonl"], {}]}, "stale": []}
    (files.parent / "journal").write_text(json.dumps(journal))
    before = train.read_bytes()

    with pytest.raises(UsageError, match="is a link"):
        sift([train], tmp_path / "out")

    assert train.read_bytes() == before


def test_another_process_in_the_folder_is_named(train: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = f"""
import sys
from pathlib import Path
from pytest_vft.outputs.folder import output_folder
from pytest_vft.outputs.names import OutputTarget
with output_folder(OutputTarget(Path({str(out)!r}), {{}})):
    print("in", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1) as other:
        assert other.stdout
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(UsageError, match=r"out: another process writes into this folder; wait until it"):
            sift([train], out)
    assert other.returncode == 0
    assert len(sift([train], out)) == 1


def test_an_input_that_changes_meanwhile_is_named(train: Path, tmp_path: Path) -> None:
    (target,) = output_targets([str(train)], tmp_path / "out")
    with output_folder(target) as folder:
        with folder.part("train.jsonl", "key") as part, part.open("train.jsonl") as file:
            file.write(b"new")
        train.write_bytes(b"longer than it was before, and new")
        with pytest.raises(UsageError, match=r"train\.jsonl: has changed since it was read; nothing was wri"):
            folder.publish()
    assert not (tmp_path / "out").exists()


def test_in_place_keeps_mode_and_links(train: Path, tmp_path: Path) -> None:
    train.chmod(0o640)
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "latest.jsonl"
    link.symlink_to(train)

    sift([link], None)

    assert link.is_symlink()
    assert train.read_bytes() == b'{"id": 1}\n\n{"id":3}'
    assert stat.S_IMODE(train.stat().st_mode) == 0o640
    assert (tmp_path / "train.jsonl.rej").exists()
    assert not (tmp_path / STAGING).exists()


def test_in_place_never_replaces_what_was_set_aside(train: Path, tmp_path: Path) -> None:
    sift([train], None)
    train.write_bytes(b"{}\nanother bad one\n")
    before = content(tmp_path)

    with pytest.raises(UsageError, match=r"exists already.*; move it to another place first$"):
        sift([train], None, force=True)
    assert content(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write any file")
def test_in_place_leaves_a_read_only_file(train: Path) -> None:
    train.chmod(0o440)
    with pytest.raises(UsageError, match="is read-only; make it writable"):
        sift([train], None)


def test_a_change_of_settings_or_data_is_not_resumed(train: Path) -> None:
    key = part_key(str(train), 1, "a")

    assert part_key(str(train), 1, "a") == key
    assert part_key(str(train), 1, "b") != key
    train.write_bytes(train.read_bytes() + b"\n")
    assert part_key(str(train), 1, "a") != key


# Reports name the origin


def faulty(number: int) -> dict[str, Any]:
    return build_example(f"[{number}] What is it?", f"Number {number}.", data_url("jpeg 16x16 l"))


def checked(capsys: pytest.CaptureFixture[str], *paths: str) -> str:
    main(["check", *paths, "--no-cache", "--max-tokens=0"])
    return " ".join(capsys.readouterr().out.split())


def test_a_report_names_the_origin_of_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.jsonl").write_text(f"bad\n{json.dumps(faulty(1))}\n{json.dumps(faulty(2))}\n")
    assert ".origin.csv" not in checked(capsys, "train.jsonl")
    sift([Path("train.jsonl")], Path("out"))
    text = checked(capsys, "out/train.jsonl")
    assert (
        "note: out/train.jsonl:1 was made of train.jsonl:2; out/train.jsonl.origin.csv has all origins"
        in text
    )

    with Path("out/train.jsonl").open("a") as file:
        file.write(json.dumps(faulty(3)) + "\n")
    text = checked(capsys, "out/train.jsonl")
    assert "origin.csv does not belong to this file: it has 2 rows; expected 3" in text


def test_a_report_names_the_origin_of_an_element(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.json").write_text(json.dumps(["bad", *({"messages": [], "n": number} for number in range(3))]))
    sift([Path("a.json")], Path("out"))
    assert "out/a.json:#0 was made of a.json:#1;" in checked(capsys, "out/a.json")


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "\0", "line,file,origin\n1,2\n", "\udcff"])
def test_an_origin_of_another_kind_does_no_harm(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("{}\n")
    (tmp_path / "train.jsonl.origin.csv").write_text(content, errors="surrogateescape")
    assert "it has 0 rows; expected 1" in checked(capsys, str(path))


# Killed processes


WHOLE, SIFTED = b'{"id": 1}\n{"x": "bad"}\n{"id": 3}\n', b'{"id": 1}\n{"id": 3}\n'


def kill_at_each_step(folder: Path, kind: str) -> Iterator[tuple[int, int]]:
    """Kill a process at each of its steps, and run it again.

    Yield how many inputs it had replaced, and how many parts were made again.
    """
    part_key("", "computed once, not in each process")
    for step in range(1_000):
        place = folder / f"{kind}-{step}"
        place.mkdir()
        paths = [place / "one.jsonl", place / "two.jsonl"]
        for path in paths:
            path.write_bytes(WHOLE)
        out = place / "out" if kind == "out" else None
        child = os.fork()
        if not child:
            sys.addaudithook(Killer(step))
            sift(paths, out)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return
        after = [path.read_bytes() for path in paths]
        assert set(after) <= ({WHOLE} if out else {WHOLE, SIFTED})
        done = out is not None and {"one.jsonl", "two.jsonl"} <= content(out).keys()
        made: list[str] = []
        with suppress(UsageError) if done else nullcontext():  # complete, but it had not ended
            sift(paths, out, made=made)
        found = content(out or place)
        for path in paths:
            assert found.pop(path.name) == SIFTED
            assert found.pop(f"{path.name}.rej") == b'{"x": "bad"}\n'
            assert found.pop(f"{path.name}.rej.csv").count(b"\n") == 2
            assert found.pop(f"{path.name}.origin.csv").count(b"\n") == 3
        assert found == {"images/1.png": b"an image"}
        yield after.count(SIFTED), len(made)


class Killer:
    """An audit hook that kills its process before it touches a file for the time number *step*."""

    def __init__(self, step: int) -> None:
        self._left = step

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir") or (
            event == "open" and str(arguments[1]) in ("wb", "xb", "ab", "rb+")
        ):
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)
            self._left -= 1


PROGRAM = """
import sys
from pathlib import Path
from test_outputs import kill_at_each_step
steps = list(kill_at_each_step(Path(sys.argv[1]), sys.argv[2]))
print(len(steps), {replaced for replaced, _ in steps}, {made for _, made in steps}, sep=";")
"""


@pytest.mark.parametrize("kind", ["out", "in-place"])
def test_kill_at_any_point_leaves_the_original_whole_and_a_rerun_finishes(kind: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), kind],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stderr == ""
    steps, replaced, made = done.stdout.split(";")
    assert int(steps) > 30
    assert replaced == ("{0}" if kind == "out" else "{0, 1, 2}")
    assert made.strip() == "{0, 1, 2}"  # no part, one part and both were made again
