"""Measurements are remembered between runs; whatever happens to the file costs the cache, never the run."""

from __future__ import annotations

import ast
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_64_digest, xxh3_64_hexdigest

from pytest_vft.reading import decoding, exif, images, jpeg, webp
from pytest_vft.reading.image_cache import ImageCache, MeasuredImage
from pytest_vft.reading.images import MEASUREMENT_VERSION, ImageMeasurements, measure_image

SOUND = ImageMeasurements(27_000, "JPEG", True, "RGB", 512, 512, "none", None, 1, 1, False)


def several(number: int, start: int = 0) -> list[MeasuredImage]:
    return [
        MeasuredImage(key << 96 | key, 36_000, SOUND._replace(bytes=key))
        for key in range(start, start + number)
    ]


def lengths(measured: Iterable[MeasuredImage]) -> dict[int, int]:
    return {one.key: one.length for one in measured}


def by_key(measured: Iterable[MeasuredImage]) -> dict[int, ImageMeasurements]:
    return {one.key: one.image for one in measured}


def add(folder: Path, measured: Iterable[MeasuredImage], most: int = 1000) -> list[str]:
    """Add what was *measured* to the cache in *folder*, as the parent does, and return its warnings."""
    with closing(ImageCache(folder, most=most)) as cache:
        cache.add(measured)
    return cache.warnings


def look_up(folder: Path, measured: Iterable[MeasuredImage]) -> dict[int, ImageMeasurements]:
    """Look up what was *measured*, as a worker does, which has nothing to say."""
    with closing(ImageCache(folder, read_only=True)) as cache:
        found = cache.look_up(lengths(measured))
    assert not cache.warnings
    return found


@pytest.mark.parametrize("number", [0, 1, 500, 501, 12_000])
def test_what_is_added_is_found_and_nothing_is_said(tmp_path: Path, number: int) -> None:
    measured = several(number)

    assert add(tmp_path / "a" / "b#?%20", measured, most=20_000) == []
    assert look_up(tmp_path / "a" / "b#?%20", measured + several(3, start=number)) == by_key(measured)


def test_a_worker_makes_nothing(tmp_path: Path) -> None:
    assert look_up(tmp_path / "cache", several(1)) == {}
    assert not (tmp_path / "cache").exists()


def test_git_ignores_the_folder(tmp_path: Path) -> None:
    add(tmp_path, several(1))

    assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_what_is_added_again_replaces(tmp_path: Path) -> None:
    before, after = several(1)[0], several(1)[0]._replace(image=SOUND)
    add(tmp_path, [before])
    add(tmp_path, [after])

    assert look_up(tmp_path, [before]) == by_key([after])


NUMBERS = st.none() | st.integers(0, 2**31)
WORDS = st.none() | st.text()


@settings(deadline=None)
@given(
    image=st.builds(
        ImageMeasurements,
        bytes=st.integers(0, 2**40),
        format=st.text(),
        openable=st.booleans(),
        mode=WORDS,
        width=NUMBERS,
        height=NUMBERS,
        damage=st.sampled_from([None, "none", "truncated", "undecodable"]),
        decoder_error=WORDS,
        frames=NUMBERS,
        orientation=NUMBERS,
        geotagged=st.none() | st.booleans(),
        content=st.dictionaries(st.text(), st.dictionaries(st.text(), NUMBERS | WORDS | st.booleans())),
    )
    | st.binary().map(lambda data: measure_image(data, full=True)),
    key=st.integers(0, 2**128 - 1),
    length=st.integers(0, 2**40),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, image: ImageMeasurements, key: int, length: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "round-trip"
    measured = [MeasuredImage(key, length, image)]
    add(folder, measured)

    assert look_up(folder, measured) == by_key(measured)


def test_a_payload_of_another_length_is_another(tmp_path: Path) -> None:
    add(tmp_path, several(1))

    assert look_up(tmp_path, [several(1)[0]._replace(length=36_001)]) == {}


def test_words_that_are_no_unicode_are_not_kept(tmp_path: Path) -> None:
    odd, *others = several(3)
    odd = odd._replace(image=SOUND._replace(decoder_error="\ud800"))

    assert add(tmp_path, [odd, *others]) == []
    assert look_up(tmp_path, [odd, *others]) == by_key(others)


@pytest.mark.parametrize("version", ["PIL.__version__", "pytest_vft.reading.image_cache.MEASUREMENT_VERSION"])
def test_another_version_measures_anew(tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path, several(1))
    with monkeypatch.context() as patch:
        patch.setattr(version, "another")
        assert look_up(tmp_path, several(1)) == {}

    assert look_up(tmp_path, several(1)) == by_key(several(1))


def test_the_oldest_are_forgotten(tmp_path: Path) -> None:
    add(tmp_path, several(6), most=8)
    add(tmp_path, several(6, start=6), most=8)

    assert look_up(tmp_path, several(12)) == by_key(several(8, start=4))

    add(tmp_path, several(20, start=12), most=8)

    assert look_up(tmp_path, several(32)) == by_key(several(8, start=24))


def code(*modules: str | None) -> Iterator[object]:
    """Yield the source of *modules* without comments, layout and docstrings."""
    for path in modules:
        tree = ast.parse(Path(path or "").read_bytes())
        for node in list(ast.walk(tree)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
                del node.body[0]
        for node in ast.walk(tree):
            yield type(node).__name__
            yield from (value for _, value in ast.iter_fields(node) if not isinstance(value, ast.AST | list))


def test_measuring_is_as_its_version_says() -> None:
    digest = xxh3_64_hexdigest(
        repr(list(code(*(module.__file__ for module in (images, exif, decoding, jpeg, webp))))).encode()
    )

    assert (MEASUREMENT_VERSION, digest) == (4, "b87b64ea7edb0302"), (
        "Measuring has changed. If any image may now measure otherwise, raise MEASUREMENT_VERSION in "
        "reading/images.py, or caches go on giving the old measurements. Then write version and digest here."
    )


# What is wrong with the content


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as table, table:
        table.execute("CREATE TABLE images (key BLOB PRIMARY KEY, value BLOB NOT NULL, artist TEXT)")


def with_trigger(path: Path) -> None:
    add(path.parent, several(1))
    with closing(sqlite3.connect(path)) as table, table:
        table.execute("CREATE TRIGGER t AFTER INSERT ON images BEGIN DELETE FROM images; END")


def no_database(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def truncated(path: Path) -> None:
    add(path.parent, several(400))
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("harm", [foreign, with_trigger, no_database, truncated])
def test_a_file_that_is_not_ours_or_broken_is_set_aside(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    path = tmp_path / "images.sqlite"
    harm(path)
    before = path.read_bytes()

    assert look_up(tmp_path, several(1)) == {}
    assert path.read_bytes() == before
    (warning,) = add(tmp_path, several(1))
    assert warning.startswith(f"{path} is renamed to images.broken: ")
    assert (tmp_path / "images.broken").read_bytes() == before
    assert look_up(tmp_path, several(1)) == by_key(several(1))


def test_a_file_found_broken_in_the_middle_is_used_no_more(tmp_path: Path) -> None:
    measured = several(4000)
    add(tmp_path, measured, most=9000)
    path = tmp_path / "images.sqlite"
    data = bytearray(path.read_bytes())
    for page in range(2 * 4096, len(data), 4096):  # all but the schema and the root of the table
        data[page : page + 8] = b"\xff" * 8
    path.write_bytes(data)

    assert look_up(tmp_path, measured) == {}
    with closing(ImageCache(tmp_path)) as cache:
        assert cache.look_up(lengths(measured)) == {}
        cache.add(measured)
        assert cache.look_up(lengths(measured)) == {}
    (warning,) = cache.warnings
    assert "renamed to images.broken: database disk image is malformed" in warning
    assert add(tmp_path, measured) == []


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    add(folder, several(60))
    return folder / "images.sqlite"


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_flipped_bit_gives_a_wrong_image(filled: Path, data: st.DataObject) -> None:
    right = by_key(several(60))
    content = bytearray(filled.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    (filled.parent / "flipped").mkdir(exist_ok=True)
    path = filled.parent / "flipped" / filled.name
    path.write_bytes(content)

    assert look_up(path.parent, several(60)).items() <= right.items()
    add(path.parent, several(60))
    assert look_up(path.parent, several(60)).items() <= right.items()


@pytest.mark.parametrize("value", ["[]", "{}", "null", "[1]", "no JSON", str([1, "JPEG", 1, *[None] * 8])])
def test_a_value_of_another_shape_is_not_there(tmp_path: Path, value: str) -> None:
    add(tmp_path, several(1))
    with closing(sqlite3.connect(tmp_path / "images.sqlite")) as table, table:
        ((key,),) = table.execute("SELECT key FROM images")
        packed = xxh3_64_digest(key + value.encode()) + value.encode()
        table.execute("UPDATE images SET value = ?", (packed,))

    assert look_up(tmp_path, several(1)) == {}
    assert add(tmp_path, several(1)) == []
    assert look_up(tmp_path, several(1)) == by_key(several(1))


# What is wrong with the place


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    (warning,) = add(tmp_path / "file" / "cache", several(1))
    assert "images.sqlite is not used: [Errno 20] Not a directory" in warning
    assert look_up(tmp_path / "file" / "cache", several(1)) == {}


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "images.sqlite").mkdir()

    (warning,) = add(tmp_path, several(1))
    assert warning.endswith("images.sqlite is not used: unable to open database file")
    assert look_up(tmp_path, several(1)) == {}


@contextmanager
def locked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("pytest_vft.reading.sqlite.PATIENCE", 0.05)
    program = f"""
import sqlite3
table = sqlite3.connect({str(folder / "images.sqlite")!r}, isolation_level=None)
table.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()
        yield


def test_a_file_that_another_run_has_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path, several(1))
    with locked(tmp_path, monkeypatch):
        (warning,) = add(tmp_path, several(1))
        assert look_up(tmp_path, several(1)) == {}

    assert warning.endswith("images.sqlite is not used: database is locked")
    assert look_up(tmp_path, several(1)) == by_key(several(1))


def test_a_file_that_can_only_be_read_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run is about to write, since file permissions do not bind root."""
    add(tmp_path, several(1))
    monkeypatch.setattr("pytest_vft.reading.sqlite.PATIENCE", 0.05)
    with closing(sqlite3.connect(tmp_path / "images.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        (warning,) = add(tmp_path, several(2))
        assert look_up(tmp_path, several(1)) == by_key(several(1))

    assert warning.endswith("images.sqlite is not written: database is locked")


def test_a_lock_that_comes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_vft.reading.sqlite.PATIENCE", 0.05)
    with closing(ImageCache(tmp_path)) as cache, locked(tmp_path, monkeypatch):
        cache.add(several(1))
        assert cache.look_up(lengths(several(1))) == {}

    assert len(cache.warnings) == 1


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def small(*arguments: Any, **options: Any) -> sqlite3.Connection:
        table = connect(*arguments, **options)
        table.execute("PRAGMA max_page_count = 20")
        return table

    add(tmp_path, several(100))
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", small)
        (warning,) = add(tmp_path, several(5000))

    assert warning == f"{tmp_path / 'images.sqlite'} is not written: database or disk is full"
    assert look_up(tmp_path, several(200)) == by_key(several(100))


# Several runs


def start(text: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a program that knows what this module knows."""
    program = f"import sys\nfrom {Path(__file__).stem} import *\nfolder = Path(sys.argv[1])\n{text}"
    command = [sys.executable, "-c", program, str(folder), *arguments]
    return subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True)


def test_a_run_killed_while_it_adds(tmp_path: Path) -> None:
    add(tmp_path, several(100))
    path, journal = tmp_path / "images.sqlite", tmp_path / "images.sqlite-journal"
    before = path.stat().st_size
    with start("add(folder, several(300_000, start=1000), most=10**6)", tmp_path) as run:
        while path.stat().st_size == before:  # what is added is written, and not yet confirmed
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
    assert journal.stat().st_size

    assert add(tmp_path, several(1, start=100)) == []
    assert look_up(tmp_path, several(200)) == by_key(several(101))


def test_runs_at_once_lose_nothing(tmp_path: Path) -> None:
    text = """
first = int(sys.argv[2])
for number in range(first, first + 2000, 100):
    with closing(ImageCache(folder)) as cache:
        cache.add(several(100, start=number))
    assert not cache.warnings
    assert look_up(folder, several(100, start=number)) == by_key(several(100, start=number))
print("done")
"""
    runs = [start(text, tmp_path, str(first)) for first in (0, 2000, 4000)]

    assert [run.communicate(timeout=60)[0] for run in runs] == ["done\n"] * 3
    assert look_up(tmp_path, several(6000)) == by_key(several(6000))
