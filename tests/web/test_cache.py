"""Results are kept as long as they hold, and a broken file costs the cache, never the run."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from pytest_vft.reading.images import ImageMeasurements
from pytest_vft.reading.remote import Remote
from pytest_vft.web.cache import UrlCache

URL = "https://example.com/a.jpg?X-Amz-Signature=secret"
REMOTE = Remote(True, image=ImageMeasurements(10, "JPEG", True, "RGB", 8, 8, "none"), media_type="image/jpeg")


def keep(folder: Path, remote: Remote = REMOTE, seconds: float = 60, setting: str = "") -> UrlCache:
    cache = UrlCache(folder, setting)
    cache.put(URL, remote, seconds)
    cache.close()
    return cache


def find(folder: Path, setting: str = "") -> Remote | None:
    with closing(UrlCache(folder, setting)) as cache:
        return cache.get(URL)


@pytest.mark.parametrize("remote", [REMOTE, Remote(False, "404 Not Found"), Remote(True, served="XML")])
def test_what_is_kept_is_found_again(tmp_path: Path, remote: Remote) -> None:
    keep(tmp_path, remote)

    assert find(tmp_path) == remote


def test_what_is_too_old_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(tmp_path, seconds=60)
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)

    assert find(tmp_path) is None


def test_other_settings_have_results_of_their_own(tmp_path: Path) -> None:
    keep(tmp_path, setting="depth full")

    assert find(tmp_path, "depth header") is None


def test_no_url_stands_in_the_file_and_git_ignores_it(tmp_path: Path) -> None:
    keep(tmp_path / ".vft_cache")

    assert b"example.com" not in (tmp_path / ".vft_cache" / "urls.sqlite").read_bytes()
    assert (tmp_path / ".vft_cache" / ".gitignore").read_text() == "*\n"


def test_a_broken_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "urls.sqlite").write_bytes(b"no database" * 1000)
    cache = keep(tmp_path)

    path = tmp_path / "urls.sqlite"
    assert cache.warnings == [f"{path} is renamed to urls.broken: file is not a database"]
    assert find(tmp_path) == REMOTE
    assert (tmp_path / "urls.broken").exists()


def test_a_result_of_another_version_is_no_result(tmp_path: Path) -> None:
    keep(tmp_path)
    with closing(sqlite3.connect(tmp_path / "urls.sqlite")) as table, table:
        table.execute("""UPDATE urls SET found = '{"reachable": true, "image": {"colour": "red"}}'""")

    assert find(tmp_path) is None


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = keep(tmp_path / "file" / ".vft_cache")

    assert cache.get(URL) is None
    (warning,) = cache.warnings
    assert "is not used" in warning


def test_a_file_that_another_run_has_locked_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path)
    monkeypatch.setattr("pytest_vft.reading.sqlite.PATIENCE", 0.05)
    with closing(sqlite3.connect(tmp_path / "urls.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with closing(UrlCache(tmp_path, "")) as cache:
            assert cache.get(URL) is None

    (warning,) = cache.warnings
    assert "locked" in warning
