"""gzip and Zstandard: the report is that of the text, and damage is a finding that names the line."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_vft import lint
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main
from pytest_vft.model import Report, RuleResult
from pytest_vft.reading import compressed
from pytest_vft.reading.compressed import open_text
from pytest_vft.reading.compression import GZIP, ZSTANDARD, Compression
from pytest_vft.reading.files import open_file

MIB = 1024 * 1024
PACK: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstd.compress}
NAMES = {"gz": GZIP, "zst": ZSTANDARD}
IMAGE = data_url("png 16x16 rgb")
packed = pytest.mark.parametrize("end", PACK)


def line(number: int, answer: object = "A dog.") -> bytes:
    image = {"type": "image_url", "image_url": {"url": IMAGE}}
    user = {"role": "user", "content": [{"type": "text", "text": f"What is in image {number}?"}, image]}
    return json.dumps({"messages": [user, {"role": "assistant", "content": answer}]}).encode() + b"\n"


LINES = [line(number) for number in range(20)]
FAULTY = [*LINES[:7], b"\n" * 30, b"\r\n" * 3, *LINES[7:], b"{]\n", line(20, 5)]
# What the sizes on disk and the compression do not change.
SAME = ("findings", "rules", "dataset", "cost", "provider")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(end: str, text: bytes, name: str = "train.jsonl") -> Path:
    path = Path(f"{name}.{end}")
    path.write_bytes(PACK[end](text))
    return path


def checked(path: Path | str, **options: object) -> Report:
    return lint(path, ignore=["file/compressed"], **options)  # type: ignore[arg-type]


def without(part: object) -> object:
    """Return *part* of a report without the rule on compressed files."""
    return (
        [rule for rule in part if rule.id != "file/compressed"]
        if isinstance(part, tuple) and part and isinstance(part[0], RuleResult)
        else part
    )


def errors(report: Report) -> list[str]:
    return [f"{one.rule}: {one.message}" for one in report.findings if one.severity == "error"]


@packed
@pytest.mark.parametrize("as_array", [False, True])
def test_the_report_is_that_of_the_plain_file(end: str, *, as_array: bool) -> None:
    text = b"".join(FAULTY)
    if as_array:
        text = b"\xef\xbb\xbf\n[" + b",\n".join(LINES[:9]) + b",,\n" + b",\n".join(LINES[9:]) + b"]\n"
    plain = Path("train.jsonl")
    plain.write_bytes(text)
    expected = checked(plain)
    assert expected.findings
    plain.write_bytes(PACK[end](text))  # the same name, so that paths in the findings are equal
    found = checked(plain)
    for name in SAME:
        assert without(getattr(found, name)) == without(getattr(expected, name)), name
    (file,), (other,) = found.files, expected.files
    tallies = {rule: tally for rule, tally in file.tallies.items() if rule != "file/compressed"}
    assert file._replace(compression=None, tallies=tallies) == other._replace(tallies=tallies)
    assert tallies.items() <= other.tallies.items()
    assert file.compression == NAMES[end]


@packed
def test_sound_files_pass(end: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(end, b"".join(LINES))
    assert main(["check", str(path), "--ignore=file/compressed"]) == 0
    shown = capsys.readouterr().out
    assert f"train.jsonl.{end}  train, 20 examples, 20 images (1 distinct), " in shown
    assert f" kB in {NAMES[end]}" in shown


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.binary(max_size=300) | st.integers(0, 300_000).map(bytes), max_size=4),
    end=st.sampled_from(list(PACK)),
    start=st.integers(0, 400),
    padding=st.integers(0, 5),
)
def test_members_and_frames_are_one_text(parts: list[bytes], end: str, start: int, padding: int) -> None:
    content = b"".join(map(PACK[end], parts)) + (bytes(padding) if end == "gz" and parts else b"")
    Path("text").write_bytes(content)
    with open_text("text", Compression(NAMES[end], len(content)), start) as file:
        assert file.read() == b"".join(parts)[start:]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1), end=st.sampled_from(list(PACK)), flip=st.booleans())
def test_no_damage_passes(share: float, end: str, *, flip: bool) -> None:
    """Zstandard files have a checksum here, as those that the command zstd writes."""
    text = b"".join(LINES)
    checksum = {zstd.CompressionParameter.checksum_flag: 1}
    content = bytearray(
        gzip.compress(text, mtime=0) if end == "gz" else zstd.compress(text, options=checksum)
    )
    at = int(share * (len(content) - 1))
    if flip:
        content[at] ^= 0x55
    else:
        del content[at:]
    Path("text").write_bytes(content)
    if end == "gz" and flip and 3 <= at < 10:  # the header: flags, time and system
        return
    compression = Compression(NAMES[end], len(content))
    if content:
        with (
            pytest.raises(OSError, match=f"its {NAMES[end]} data"),
            open_text("text", compression) as file,
        ):
            file.read()


@packed
def test_many_empty_members_and_frames_are_skipped(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged ones among them are not."""
    checksum = {zstd.CompressionParameter.checksum_flag: 1}
    empty = gzip.compress(b"", mtime=0) if end == "gz" else zstd.compress(b"", options=checksum)
    started: list[object] = []
    codec = compressed._Codec  # noqa: SLF001 - what a run starts costs time

    def counting(start: Callable[[], object], *others: object) -> object:
        def begin() -> object:
            started.append(start)
            return start()

        return codec(begin, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(compressed, "_Codec", counting)
    parts = (
        empty * 50_000,
        PACK[end](LINES[0]),
        empty * 3,
        PACK[end](b""),
        empty * 3,
        PACK[end](LINES[1]),
        empty,
    )
    content = b"".join(parts)
    Path("text").write_bytes(content)
    with open_text("text", Compression(NAMES[end], len(content))) as file:
        assert file.read() == LINES[0] + LINES[1]
    assert len(started) < 50

    damaged = empty[:-5] + bytes([empty[-5] ^ 1]) + empty[-4:] if end == "gz" else empty[:-1] + b"\0"
    Path("text").write_bytes(empty * 9 + damaged + empty * 9)
    with (
        pytest.raises(OSError, match="data is damaged"),
        open_text("text", Compression(NAMES[end], len(content))) as file,
    ):
        file.read()


@packed
def test_a_file_that_is_cut_off_names_the_line(end: str) -> None:
    first, second = PACK[end](b"".join(LINES[:6])), PACK[end](b"".join(LINES[6:]))
    Path("train.jsonl").write_bytes(first + second[:-9])
    (found,) = errors(checked("train.jsonl"))
    name = NAMES[end]
    assert found.startswith(f"file/unreadable: cannot be read: its {name} data ends after line ")
    assert found.endswith(": the file is cut off; copy it again")
    assert not checked("train.jsonl").files[0].examples


@packed
def test_a_wrong_checksum_is_found_after_the_last_line(end: str) -> None:
    checksum = {zstd.CompressionParameter.checksum_flag: 1}
    text = b"".join(LINES)
    content = bytearray(gzip.compress(text) if end == "gz" else zstd.compress(text, options=checksum))
    content[-5] ^= 1 if end == "gz" else 0  # the size of the text follows
    content[-1] ^= 1
    Path("train.jsonl").write_bytes(content)
    (found,) = errors(checked("train.jsonl"))
    assert f"its {NAMES[end]} data is damaged after line 20: " in found
    Path("train.jsonl").write_bytes(content[: len(content) // 2] + b"\xff" * 100)
    (found,) = errors(checked("train.jsonl"))
    assert re.search(r"(is damaged|ends) (near the start|after line \d+): ", found)


def test_text_after_the_end_is_no_padding() -> None:
    Path("train.jsonl").write_bytes(gzip.compress(b"".join(LINES)) + b"hello")
    (found,) = errors(checked("train.jsonl"))
    assert "its gzip data is damaged after line 20: " in found


@packed
def test_a_bomb_is_not_read_to_its_end(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "_MOST_TEXT", 8 * MIB)
    content = PACK[end](b"".join(LINES) + b'"\n' + b" " * 64 * MIB)
    Path("train.jsonl").write_bytes(content)
    (found,) = errors(checked("train.jsonl"))
    assert f"its {NAMES[end]} data has more than {max(8 * MIB, 256 * len(content)):,} bytes of text" in found
    assert "nothing is read after line 21" in found
    compression = Compression(NAMES[end], len(content))
    with open_text("train.jsonl", compression) as text, pytest.raises(OSError, match="more than"):
        text.read()


def test_text_that_repeats_itself_is_no_bomb_below_the_limit() -> None:
    Path("train.jsonl").write_bytes(zstd.compress(b"".join(LINES) + b"\n" * MIB))
    assert errors(checked("train.jsonl")) == []


def test_a_file_of_pzstd_starts_with_a_frame_to_be_skipped() -> None:
    frames = [zstd.compress(b"".join(part)) for part in (LINES[:9], LINES[9:])]
    sized = [
        b"\x5d\x2a\x4d\x18" + (4).to_bytes(4, "little") + len(one).to_bytes(4, "little") + one
        for one in frames
    ]
    Path("train.jsonl.zst").write_bytes(b"".join(sized))
    report = checked("train.jsonl.zst")
    assert (errors(report), report.files[0].examples) == ([], 20)


def test_a_file_that_was_packed_with_a_dictionary() -> None:
    samples = zstd.train_dict(LINES * 20, 2048)
    Path("train.jsonl").write_bytes(zstd.compress(b"".join(LINES), zstd_dict=samples))
    (found,) = errors(checked("train.jsonl"))
    assert "was packed with a dictionary, which is not read; unpack it by zstd -d -D DICTIONARY" in found


@packed
@pytest.mark.parametrize("filling", [b"[", b" ", b'{"messages": "'])
def test_a_long_line_of_a_small_file_is_not_read(end: str, filling: bytes) -> None:
    path = write(end, b"".join(LINES) + filling + filling[:1] * 40 * MIB)
    (found,) = errors(checked(path))
    assert (
        f"its {NAMES[end]} data has a line of more than 16,777,216 bytes, so nothing is read after line 20"
        in found
    )


def test_what_cannot_be_repaired_is_not_advised(capsys: pytest.CaptureFixture[str]) -> None:
    path = write("gz", b"\xef\xbb\xbf" + b"".join(LINES))
    main(["check", str(path)])
    assert "vft convert train.jsonl.gz --to=PROVIDER --out=DIR" in capsys.readouterr().out
    assert main(["fix", str(path)]) == 1
    assert "nothing was written: vft convert FILE --to=PROVIDER --out=DIR repairs" in capsys.readouterr().out
    noise = gzip.compress(b"".join(line(number, os.urandom(40_000).hex()) for number in range(9)))
    Path("cut.jsonl.gz").write_bytes(noise[: len(noise) // 2])
    assert main(["providers", "cut.jsonl.gz"]) == 0
    shown = capsys.readouterr().out
    assert "cannot be read" in shown
    assert "after convert" not in shown
    assert "next:" not in shown


def test_an_archive_is_named() -> None:
    head = b"x".ljust(257, b"\0") + b"ustar\0" + bytes(2000)
    for content, words in [
        (gzip.compress(head), "a tar archive in gzip"),
        (zstd.compress(gzip.compress(b"".join(LINES))), "gzip in Zstandard"),
        (gzip.compress(b"question,answer\nWhat?,A dog.\n"), "CSV (question,answer) in gzip"),
    ]:
        Path("train.jsonl.gz").write_bytes(content)
        assert errors(checked("train.jsonl.gz")) == [f"file/not-jsonl: is {words}, not JSON Lines"]


def test_memory_stays_a_batch() -> None:
    """30 MB of text, most of it in three long lines; the interpreter and the package take 60 MB."""
    with gzip.open("train.jsonl.gz", "wb", compresslevel=1) as file:
        for _ in range(3):
            file.write(b"".join(LINES * 25) + b" " * 9_999_999 + b"\n")
    code = (
        "from pytest_vft import lint; lint('train.jsonl.gz', depth='header', cache=False);"
        "print(next(int(line.split()[1]) // 1024 for line in open('/proc/self/status') if 'VmHWM' in line))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 200


@packed
def test_a_file_in_the_cache_is_not_unpacked(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = [line(number, os.urandom(40_000).hex()) for number in range(40)]
    path = write(end, b"".join(noise))
    first = checked(path, depth="full")
    opened = []

    def spy(*arguments: object) -> io.BufferedReader:
        opened.append(arguments)
        return open_text(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:  # undo() would also undo the change of folder
        patched.setattr(compressed, "open_text", spy)
        assert checked(path, depth="full").findings == first.findings
    assert len(opened) < 5  # the head, by which the kind is known, and the first examples
    write(end, b"".join([*noise[:-1], line(41, 5)]))
    assert len(checked(path, depth="full").findings) == len(first.findings) + 1


def test_folders_and_names(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "data").mkdir()
    write("gz", b"".join(LINES[:10]), "data/train.jsonl")
    write("zst", b"".join(LINES[10:]), "data/val.ndjson")
    report = checked("data")
    assert [(file.path, file.split) for file in report.files] == [
        ("data/train.jsonl.gz", "train"),
        ("data/val.ndjson.zst", "validation"),
    ]
    assert report.ok
    # A provider that takes plain files only.
    found = errors(lint("data/train.jsonl.gz", provider="together"))
    assert found[0] == "file/compressed: is compressed (gzip); expected plain JSON Lines"
    assert main(["show", "data/val.ndjson.zst:10"]) == 0
    assert "What is in image 19?" in capsys.readouterr().out
    assert main(["providers", "data/train.jsonl.gz", "--provider=together,trl"]) == 0
    shown = capsys.readouterr().out
    assert "refuses  1 compressed file" in shown or "file/compressed" in shown or "is compressed" in shown


def test_convert_writes_plain_files_and_fix_refuses(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("gz", b"".join(LINES[:10]))
    write("zst", b"\n" + b"".join(LINES[10:]), "val.jsonl")
    assert main(["convert", "train.jsonl.gz", "val.jsonl.zst", "--to=together", "--out=out"]) == 0
    assert sorted(path.name for path in (here / "out").glob("*.jsonl*") if path.suffix == ".jsonl") == [
        "train.jsonl",
        "val.jsonl",
    ]
    assert lint(["out/train.jsonl", "out/val.jsonl"], provider="together").ok
    capsys.readouterr()
    assert main(["fix", "val.jsonl.zst", "--provider=together"]) == 1
    assert "blank" in capsys.readouterr().out
    assert main(["fix", "val.jsonl.zst", "--provider=together", "--out=fixed"]) == 2
    shown = capsys.readouterr().err
    assert "val.jsonl.zst: vft fix does not write compressed files, so nothing was written" in shown
    assert not (here / "fixed").exists()


def test_truths_and_predictions(capsys: pytest.CaptureFixture[str]) -> None:
    write("gz", b"".join(LINES), "test.jsonl")
    rows = [{"id": str(number), "predicted_answer": "a dog"} for number in range(20)]
    write("zst", b"".join(json.dumps(row).encode() + b"\n" for row in rows), "predictions.jsonl")
    Path("rows.json").write_bytes(gzip.compress(json.dumps(rows).encode()))
    ids = ("--test=test.jsonl.gz", r"--id-pattern=image (\d+)", "--metric=normalised_exact")
    for predictions in ("predictions.jsonl.zst", "rows.json"):
        assert main(["eval", predictions, *ids]) == 0
        assert "100.0 %" in capsys.readouterr().out
    Path("test.jsonl.gz").write_bytes(gzip.compress(b"".join(LINES))[:-20])
    assert main(["eval", "rows.json", *ids]) == 2
    assert "test.jsonl.gz: its gzip data ends" in capsys.readouterr().err


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    Path("train.jsonl").write_bytes(zstd.compress(b"".join(LINES)))
    for command in (["check"], ["providers"], ["show", "--sample=2"], ["convert", "--to=trl", "--out=out"]):
        assert main([*command, "train.jsonl"]) == 2, command
        shown = capsys.readouterr()
        assert 'pip install "pytest-vft[zstd]"' in shown.err, command
        assert "train.jsonl" in shown.err, command
    assert main(["check", str(write("gz", b"".join(LINES), "a.jsonl")), "--ignore=file/compressed"]) == 0


def test_pytest_collects_compressed_files(pytester: pytest.Pytester) -> None:
    (pytester.path / "train.jsonl.gz").write_bytes(gzip.compress(b"".join(FAULTY)))
    (pytester.path / "val.jsonl").write_bytes(zstd.compress(b"".join(LINES)))
    chosen = ("-k", "invalid-json or file/empty", "-p", "no:cacheprovider")
    result = pytester.runpytest_subprocess(
        "train.jsonl.gz", "--vft-data=val.jsonl", "--vft-depth=header", *chosen
    )
    result.stdout.fnmatch_lines(["FAILED train.jsonl.gz::line/invalid-json*"])
    result.assert_outcomes(failed=1, passed=1, skipped=2)


def test_opened_files_say_what_they_are() -> None:
    path = write("zst", b"\xef\xbb\xbf" + b"".join(LINES))
    opened = open_file(str(path))
    assert (opened.container, opened.byte_order_mark, opened.bytes) == ("JSONL", True, path.stat().st_size)
    assert opened.compression == (ZSTANDARD, path.stat().st_size)
