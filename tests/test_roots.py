"""Local images are opened inside their roots only, whatever the data says."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vft.reading.roots import PathTarget, Roots

MADE = ("inside", "outside")


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """Return a folder with images, beside a folder with a secret."""
    inside, outside = (tmp_path / name for name in MADE)
    (inside / "images").mkdir(parents=True)
    (inside / "images" / "a.jpg").write_bytes(b"image")
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    return inside


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by the name of each file that is opened for reading."""
    names: list[str] = []
    real = os.open

    def spy(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        descriptor = real(path, flags, mode, dir_fd=dir_fd)
        if not flags & getattr(os, "O_DIRECTORY", 0):
            names.append(os.fspath(path))
        return descriptor

    monkeypatch.setattr(os, "open", spy)
    monkeypatch.setattr(os, "supports_dir_fd", {*os.supports_dir_fd, spy})
    return names


def content(path: str, *folders: Path) -> tuple[PathTarget, bytes | None]:
    roots = Roots([str(folder) for folder in folders])
    try:
        target, descriptor = roots.open(path)
        assert target.kind == roots.find(path).kind
        if descriptor is None:
            return target, None
        with os.fdopen(descriptor, "rb") as file:
            return target, file.read()
    finally:
        roots.close()


@pytest.mark.parametrize(
    "path",
    [
        "images/a.jpg",
        "./images//a.jpg",
        "images/../images/a.jpg",
        "../inside/images/a.jpg",
        "{}/images/a.jpg",
    ],
)
def test_file_inside_is_opened(inside: Path, path: str) -> None:
    target, data = content(path.format(inside), inside)

    assert (target.kind, data) == ("a file", b"image")
    assert target.identity is not None
    assert target.identity.size == len(b"image")


def test_links_inside_are_followed(inside: Path) -> None:
    (inside / "link.jpg").symlink_to("images/a.jpg")
    (inside / "linked").symlink_to(inside / "images")
    (inside.parent / "root").symlink_to(inside)

    for path in ("link.jpg", "linked/a.jpg", f"{inside.parent}/root/linked/a.jpg", f"{inside}/link.jpg"):
        assert content(path, inside.parent / "root")[1] == b"image", path


def test_further_roots_are_searched_in_order(inside: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "b.jpg").write_bytes(folder.name.encode())

    assert content("b.jpg", inside, first, second)[1] == b"first"
    assert content("images/a.jpg", first, inside)[1] == b"image"
    assert content("../first/b.jpg", inside, first)[1] == b"first"
    assert content("c.jpg", inside, first)[0].kind == "nothing"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("../outside/secret", "leads out of the image roots"),
        ("images/../../outside/secret", "leads out of the image roots"),
        ("{}/outside/secret", "is outside the image roots"),
        ("{}/inside/../outside/secret", "is outside the image roots"),
        ("{}/inside-out/secret", "is outside the image roots"),
        ("/", "is outside the image roots"),
        ("//server/share/a.jpg", "is on the network, outside the image roots"),
        (r"\\server\share\a.jpg", "is on the network, outside the image roots"),
        (r"C:\images\a.jpg", "is on a Windows drive, outside the image roots"),
        ("C:/images/a.jpg", "is on a Windows drive, outside the image roots"),
    ],
)
def test_path_that_leads_out_is_judged_as_text(
    inside: Path, monkeypatch: pytest.MonkeyPatch, path: str, words: str
) -> None:
    roots = Roots([str(inside)])
    for name in ("open", "stat", "lstat", "readlink"):
        monkeypatch.setattr(os, name, lambda *_, **__: pytest.fail("the file system was used"))

    target, descriptor = roots.open(path.format(inside.parent))

    assert (target.kind, target.words, descriptor) == ("outside the roots", words, None)


def test_links_that_lead_out_are_not_opened(inside: Path, opened: list[str]) -> None:
    (inside / "a.png").symlink_to("../outside/secret")
    (inside / "chain.png").symlink_to("a.png")
    (inside / "away").symlink_to(inside.parent / "outside")
    (inside / "up").symlink_to("..")

    for path, words in (
        ("a.png", "is a link to a file outside the image roots"),
        ("chain.png", "is a link to a file outside the image roots"),
        ("away/secret", "leads through a link out of the image roots"),
        ("up/outside/secret", "leads through a link out of the image roots"),
        ("up/outside/gone", "leads through a link out of the image roots"),
    ):
        target, data = content(path, inside)
        assert (target.kind, target.words, data) == ("outside the roots", words, None), path
    assert opened == []


def test_folder_that_becomes_a_link_is_not_followed(inside: Path) -> None:
    roots = Roots([str(inside)])
    roots.find("images/a.jpg")
    (inside / "images").rename(inside / "before")
    (inside.parent / "outside" / "a.jpg").write_bytes(b"secret")
    (inside / "images").symlink_to(inside.parent / "outside")

    _, descriptor = roots.open("images/a.jpg")

    assert descriptor is not None
    with os.fdopen(descriptor, "rb") as file:
        assert file.read() == b"image"
    roots.close()


@pytest.mark.parametrize("path", ["", "b.jpg", "no/b.jpg", "images/a.jpg/b.jpg", "a\0b", "\ud800"])
def test_what_is_not_there_is_nothing(inside: Path, path: str) -> None:
    assert content(path, inside)[0].kind == "nothing"


def test_broken_link_is_nothing(inside: Path) -> None:
    (inside / "broken.jpg").symlink_to("images/gone.jpg")

    assert content("broken.jpg", inside)[0].kind == "nothing"


def test_broken_link_does_not_change_the_name_for_the_next_root(inside: Path, tmp_path: Path) -> None:
    (inside / "a.jpg").symlink_to("gone/b.jpg")
    other = tmp_path / "other"
    other.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (other / name).write_bytes(name.encode())

    assert content("a.jpg", inside, other)[1] == b"a.jpg"


def test_loop_of_links_ends(inside: Path) -> None:
    (inside / "one.jpg").symlink_to("two.jpg")
    (inside / "two.jpg").symlink_to("one.jpg")

    assert content("one.jpg", inside)[0].kind == "a link"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
def test_only_regular_files_are_opened(inside: Path, opened: list[str]) -> None:
    os.mkfifo(inside / "pipe.jpg")
    (inside / "link.jpg").symlink_to("pipe.jpg")

    kinds = {
        path: content(path, inside)[0].kind
        for path in ("pipe.jpg", "link.jpg", "images", "images/", ".", "..")
    }
    kinds["/dev/null"] = content("/dev/null", inside, Path("/dev"))[0].kind

    assert kinds == {
        **dict.fromkeys(("pipe.jpg", "link.jpg"), "a pipe"),
        **dict.fromkeys(("images", "images/", "."), "a folder"),
        "..": "outside the roots",
        "/dev/null": "a device",
    }
    assert opened == []


@pytest.mark.parametrize("path", ["x" * 300, "x/" * 1_000_000 + "x", "../" * 1_000_000 + "x"])
def test_path_that_is_too_long_is_unreadable(inside: Path, path: str) -> None:
    target, _ = content(path, inside)

    assert (target.kind, target.words) == ("unreadable", os.strerror(errno.ENAMETOOLONG))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission_is_unreadable(inside: Path) -> None:
    (inside / "images" / "a.jpg").chmod(0)

    target, data = content("images/a.jpg", inside)

    assert (target.kind, target.words, data) == ("unreadable", "Permission denied", None)


def open_files() -> int:
    """Return the number of open files, 0 if the system does not list them."""
    listed = Path("/proc/self/fd")
    return sum(1 for _ in listed.iterdir()) if listed.exists() else 0


def test_many_folders_do_not_use_up_descriptors(tmp_path: Path) -> None:
    for number in range(200):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "a.jpg").write_bytes(b"image")
    (tmp_path / "link.jpg").symlink_to("7/a.jpg")
    roots = Roots([str(tmp_path), str(tmp_path / "1")])
    before = open_files()

    for path in [f"{number}/a.jpg" for number in range(200)] * 2 + ["link.jpg"]:
        assert roots.find(path).kind == "a file"

    assert open_files() <= before + 200
    roots.close()
    assert open_files() == before


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with files and links of all kinds beside a folder with a secret."""
    folder = tmp_path_factory.mktemp("tree")
    for name in MADE:
        (folder / name / "a").mkdir(parents=True)
        (folder / name / "a" / "b").write_text(name)
    (folder / "inside" / "up").symlink_to("..")
    (folder / "inside" / "out").symlink_to("../outside/a")
    (folder / "inside" / "in").symlink_to("a")
    (folder / "inside" / "file").symlink_to("../outside/a/b")
    here = Path.cwd()
    os.chdir(folder / "inside")
    yield folder
    os.chdir(here)


@given(
    st.lists(
        st.sampled_from(["a", "b", "up", "out", "in", "file", "outside", "inside", "..", ".", "", "~"]),
        max_size=8,
    )
)
def test_no_path_reads_what_is_outside(tree: Path, parts: list[str]) -> None:
    for path in ("/".join(parts), f"{tree}/{'/'.join(parts)}"):
        data = content(path, tree / "inside")[1]
        assert data in (None, b"inside"), path
