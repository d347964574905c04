"""Images at local paths are measured like those in the file, and known by content."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from plans import plan

from pytest_vft.catalogue.cases import draw
from pytest_vft.checking.executors import lint_shards
from pytest_vft.checking.lint import lint_files
from pytest_vft.checking.memory import RunCache
from pytest_vft.checking.merging import FileTotals
from pytest_vft.checking.results import LintResult
from pytest_vft.checking.shard import ShardLinter, open_image_store
from pytest_vft.errors import ConfigError, UsageError
from pytest_vft.facts.image import image_facts
from pytest_vft.facts.image_facts import ImageFacts
from pytest_vft.model import Source
from pytest_vft.reading import image_reader, local_images
from pytest_vft.reading.context import FetchContext
from pytest_vft.reading.files import open_file
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.images import ImageMeasurements, read_image
from pytest_vft.reading.local_images import LocalImages
from pytest_vft.report.example import render_example
from pytest_vft.report.text import render_text
from pytest_vft.runs.config import Config, load_config
from pytest_vft.runs.run import run
from pytest_vft.runs.settings import Settings, read_settings
from pytest_vft.runs.view import read_example, save_images

SPECS = [f"png {size}x16 rgb" for size in range(16, 28)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with images in a folder inside."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    for number, spec in enumerate(SPECS):
        (tmp_path / "images" / f"{number}.png").write_bytes(draw(f"{spec} bytes=400")[1])
    return tmp_path


def write(*images: Sequence[str], name: str = "train.jsonl") -> Source:
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    lines = [
        {
            "conversations": [
                {"from": "human", "value": "<image>" * len(paths) + f"{number}?"},
                {"from": "gpt", "value": f"It is {number}."},
            ],
            "images": paths,
        }
        for number, paths in enumerate(images)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Source(name, "validation" if "valid" in name else "train", data_format="sharegpt")


def written(name: str = "train.jsonl", folder: str = "images") -> Source:
    return write(*([f"{folder}/{number}.png"] for number in range(len(SPECS))), name=name)


def url(path: str) -> str:
    return f"data:image/png;base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


def found(linted: LintResult) -> list[tuple[str, int | None, str]]:
    return [(placed.found.rule, placed.found.line, placed.found.pointer) for placed in linted.findings]


def facts_of(path: str, *roots: str, full: bool = True, bounded: bool = True) -> ImageFacts:
    store = ImageStore(full=full, bounded=bounded)
    files = LocalImages(roots or (".",), store, bounded=bounded)
    try:
        return image_facts(
            (1, path, "auto", True, ()), "user", "train", store, FetchContext({}, files=files)
        )[1]
    finally:
        files.close()


def test_sound_images_are_silent_and_counted() -> None:
    linted = lint_files([written()], plan())

    assert found(linted) == []
    assert (linted.files[0].images, linted.files[0].distinct_images) == (len(SPECS), len(SPECS))


def test_image_is_measured_as_in_the_file() -> None:
    for spec in (
        "jpeg 20x10 rgb",
        "png 20x10 l",
        "webp 20x10 rgba",
        "png 64x64 rgb cut=100",
        "bmp 20x10 rgb",
    ):
        Path("image").write_bytes(draw(spec)[1])
        store = ImageStore(full=True)
        embedded = (1, url("image"), "auto", False, ())
        key, expected = image_facts(embedded, "user", "train", store, FetchContext({}))
        local = (1, "image", "auto", True, ())
        files = LocalImages(["."], store)
        local_key, facts = image_facts(local, "user", "train", store, FetchContext({}, files=files))
        files.close()

        measured = (
            "bytes",
            "format",
            "openable",
            "mode",
            "width",
            "height",
            "damage",
            "frames",
            "orientation",
        )
        assert {name: facts[name] for name in measured} == {name: expected[name] for name in measured}
        assert local_key == key
        assert (facts["local"], facts["path"], facts["leads_to"]) == (True, "image", "a file")


def test_same_image_is_known_across_files_and_data_urls() -> None:
    examples = [[f"images/{number}.png"] for number in range(10)]
    train = write(*examples, ["images/11.png"])
    valid = write(*([url(f"images/{number}.png")] for number in range(10)), name="valid/valid.jsonl")

    linted = lint_files([train, valid], plan())

    assert {rule for rule, _, _ in found(linted)} == {"dataset/split-leak"}
    assert {placed.path for placed in linted.findings} == {"valid/valid.jsonl"}


def test_same_path_in_two_folders_is_two_images() -> None:
    written("one/train.jsonl")
    missing = [written(f"{name}/{name}.jsonl", "gone") for name in ("train", "valid")]

    linted = lint_files(missing, plan())

    assert "dataset/split-leak" not in {rule for rule, _, _ in found(linted)}


def test_images_are_looked_for_beside_the_file_and_in_the_roots(folder: Path) -> None:
    source = written("data/train.jsonl", "../images")
    inside = written("inside/train.jsonl", "images")

    assert all(
        facts_of(path)["leads_to"] == "outside the roots" for path in ("../images/0.png", "/etc/passwd")
    )
    assert lint_files([source], plan()).files[0].distinct_images == len(SPECS)
    roots = (str(folder),)
    linted = lint_files([source, inside], plan(image_roots=roots))
    assert {rule for rule, _, _ in found(linted)} == {"dataset/duplicate-example"}


def test_large_file_is_measured_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("large.jpg").write_bytes(draw("jpeg 40x30 rgb")[1].ljust(3_000_000, b"\0"))
    monkeypatch.setattr(local_images, "_LARGEST_BOUNDED", 2_000_000)

    facts = facts_of("large.jpg")

    assert (facts["width"], facts["height"], facts["bytes"], facts["damage"]) == (40, 30, 3_000_000, None)
    assert facts_of("large.jpg", bounded=False)["damage"] == "none"
    examples = [["large.jpg"], *([f"images/{number}.png"] for number in range(9))]
    linted = lint_files([write(*examples)], plan())
    assert found(linted) == []
    assert linted.gaps["oversized", "image/truncated"] == 1


def test_shards_are_cut_by_the_bytes_of_their_images() -> None:
    source = written()
    file = FileTotals(source, frozenset(), open_file(source.path))
    images = sum(path.stat().st_size for path in Path("images").iterdir())

    (whole,) = file.shards(10_000_000)
    assert whole.image_bytes == pytest.approx(images, abs=1)
    assert whole.work == whole.image_bytes + Path(source.path).stat().st_size
    for path in Path("images").iterdir():
        with path.open("ab") as image:
            image.truncate(1_000_000)  # a sparse file
    assert sum(shard.work for shard in file.shards(10_000_000)) > len(SPECS) * 1_000_000


def test_many_processes_say_the_same_as_one(folder: Path) -> None:
    (folder / "images" / "3.png").write_bytes(draw("png 30x30 l")[1])
    (folder / "images" / "7.png").unlink()
    source = write(*([f"images/{number % 13}.png"] for number in range(400)))
    run = partial(lint_files, [source], plan(), shard_bytes=8192)

    with ProcessPoolExecutor(2, get_context("fork")) as executor:
        by_two = run(workers=lambda _: executor)

    assert by_two == run()
    assert ("image/unsupported-mode", 4, "/images/0") in found(by_two)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the width of each image that is decoded."""
    widths: list[int] = []

    def spy(data: bytes, **settings: Any) -> tuple[ImageMeasurements, Image.Image | None]:
        read = read_image(data, **settings)
        widths.append(read[0].width or 0)
        return read

    monkeypatch.setattr(image_reader, "read_image", spy)
    return widths


def remembering(source: Source, **changes: Any) -> LintResult:
    """Lint *source* with the cache of earlier runs."""
    settings = plan(cache=Path(".vft_cache"), **changes)
    cache = RunCache(Path(".vft_cache"))
    try:
        return lint_files([source], settings, remember=cache.add)
    finally:
        cache.close()


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Source:
    """Return a file whose only shard was remembered by a run."""
    monkeypatch.setattr("pytest_vft.checking.memory._SMALLEST_SHARD", 1)
    source = written()
    remembering(source)
    return source


def test_second_run_decodes_nothing_and_reads_no_image(
    kept: Source, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lint_files([kept], plan())
    decoded.clear()
    monkeypatch.setattr(local_images, "_content", lambda *_: pytest.fail("an image was read"))

    assert remembering(kept) == first
    assert decoded == []


def test_replaced_image_is_seen_though_the_lines_are_the_same(kept: Source, decoded: list[int]) -> None:
    path = Path("images/2.png")
    before = path.stat()
    grey = draw(f"png 18x16 l bytes={before.st_size}")[1]
    other = Path("other.png")
    other.write_bytes(grey)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))  # only the inode differs
    other.replace(path)

    assert ("image/unsupported-mode", 3, "/images/0") in found(remembering(kept))
    assert decoded == [18]


def test_shard_with_replaced_images_goes_to_a_worker(kept: Source) -> None:
    settings = plan(cache=Path(".vft_cache"))
    with closing(open_image_store(settings)) as store, closing(ShardLinter(settings, store)) as linter:
        (shard,) = FileTotals(kept, frozenset(), open_file(kept.path)).shards(10**9)
        assert linter.remembers(shard)
        Path("images/2.png").write_bytes(draw("png 18x16 l bytes=401")[1])
        assert not linter.remembers(shard)


def test_image_that_is_written_again_is_seen(kept: Source) -> None:
    path = Path("images/2.png")
    before = path.stat()
    path.write_bytes(draw(f"png 18x16 l bytes={before.st_size}")[1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))

    assert ("image/unsupported-mode", 3, "/images/0") in found(remembering(kept))


def test_image_that_is_gone_or_comes_back_is_seen(kept: Source) -> None:
    path = Path("images/2.png")
    path.rename("away.png")
    gone = remembering(kept)
    Path("away.png").rename(path)

    assert gone.files[0].distinct_images == len(SPECS)
    assert gone == lint_gone(kept, path)
    assert found(remembering(kept)) == []


def lint_gone(source: Source, path: Path) -> LintResult:
    """Return the result without a cache while *path* is gone."""
    path.rename("away.png")
    try:
        return lint_files([source], plan())
    finally:
        Path("away.png").rename(path)


def test_image_that_becomes_a_link_to_the_outside_is_seen(kept: Source, folder: Path) -> None:
    path = Path("images/2.png")
    outside = folder.parent / f"{folder.name}.png"
    path.rename(outside)  # with the same inode
    path.symlink_to(outside)
    store = open_image_store(plan(cache=Path(".vft_cache")))
    file = FileTotals(kept, frozenset(), open_file(kept.path))

    (totals,) = lint_shards(file.shards(10**9), plan(cache=Path(".vft_cache")), store, lambda _: None)

    store.close()
    assert not isinstance(totals, OSError)
    assert totals.row is not None  # linted again
    outside.unlink()


def test_roots_belong_to_what_is_remembered(
    kept: Source, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real = local_images._content  # noqa: SLF001 - counted
    monkeypatch.setattr(local_images, "_content", lambda *given: read.append(1) or real(*given))

    remembering(kept, image_roots=(str(folder.parent),))

    assert len(read) == len(SPECS)


def test_example_is_shown_with_its_images(monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(["images/0.png", "../secret.png", url("images/1.png")])
    monkeypatch.setattr("pytest_vft.runs.example_file.find_sources", lambda *_: (source,))

    view = read_example(source.path, 1, Settings(config=Config()))

    text = render_example(view)
    assert "[image 1] PNG 16x16 RGB, " in text
    assert "[image 2] ../secret.png" in text
    saved = list(save_images(view, Path("saved")))
    assert [path.name for path in saved] == ["train-1-1.png", "train-1-3.png"]
    assert saved[0].read_bytes() == Path("images/0.png").read_bytes()


def test_roots_come_from_options_and_the_configuration(folder: Path) -> None:
    Path("vft.toml").write_text('image_root = ["images", "."]\n')
    Path("more").mkdir()

    assert read_settings({"image_root": ["more", "images"]}).image_roots == (
        *(str(folder / name) for name in ("more", "images")),
        str(folder),
    )
    Path("vft.toml").write_text('image_root = "images"\n')
    assert read_settings({}).image_roots == (str(folder / "images"),)


def test_root_outside_the_folder_of_a_configuration_is_refused(folder: Path) -> None:
    (folder / "link").symlink_to("/")
    (folder / "theirs").mkdir()
    for root in ("/", "..", "../images", "link", "link/etc", str(folder.parent)):
        config = folder / "vft.toml" if root != "../images" else folder / "theirs" / "vft.toml"
        config.write_text(f'image_root = "{root}"\n')
        settings = Settings(config=load_config(config))
        with pytest.raises(ConfigError) as raised:
            settings.check()
        assert str(raised.value) == (
            f'{config}: image_root "{root}" is outside its folder; '
            f"give --image-root={root} yourself if that is meant"
        )


def test_root_that_is_missing_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"image_root: .*/gone: no such folder"):
        read_settings({"image_root": ["gone"]}).check()
    url = "s3://name:secret@cards/images"
    words = r"s3://\.\.\.@cards/images: is in object storage, and an image root is a folder on this machine;"
    with pytest.raises(UsageError, match=f"^image_root: {words}"):
        read_settings({"image_root": [url]}).check()
    (folder / "vft.toml").write_text(f'image_root = "{url}"\n')
    with pytest.raises(ConfigError, match=f"vft.toml: image_root: {words}"):
        read_settings({}).check()
    (folder / "vft.toml").write_text('image_root = "a\\u0000b"\n')
    with pytest.raises(ConfigError, match="no such folder"):
        read_settings({}).check()


def report(source: Source, **changes: Any) -> str:
    return render_text(run(Settings(config=Config(), sources=(source,), **changes)))


def test_many_paths_outside_are_one_message_with_their_folder(folder: Path) -> None:
    cards = folder.parent / f"{folder.name} cards"
    (folder / "images").rename(cards)
    paths = [[f"{cards}/{number}.png"] for number in range(len(SPECS))]
    source = write(*paths, name="data/train.jsonl")

    text = report(source)

    assert f"error image/outside-root: {len(SPECS)} images" in text
    joined = " ".join(text.split())
    assert f"image is below {cards}, outside the image roots: not opened" in joined
    assert f"--image-root='{cards}' if these images belong to the dataset" in joined
    assert f"not checked: {len(SPECS)} images: not opened" in text
    assert report(source, roots=[str(cards)]).startswith("vft: provider ")
    assert "error" not in report(source, roots=[str(cards)])


def test_few_paths_outside_are_named() -> None:
    (outside := Path("outside")).mkdir()
    (outside / "a.png").write_bytes(b"secret")
    Path("data").mkdir()
    Path("data/a.png").symlink_to("../outside/a.png")
    source = write(["../../home/ci/.ssh/id_rsa"], ["a.png"], name="data/train.jsonl")

    text = report(source)

    assert "data/train.jsonl:1  ../../home/ci/.ssh/id_rsa leads out of the image roots;" in text
    assert "data/train.jsonl:2  a.png is a link to a file outside the image roots;" in text
    assert "do: Copy the images beside the file, or name their folder: --image-root=DIR" in " ".join(
        text.split()
    )
    assert "secret" not in text


def test_folder_of_hostile_paths_is_quoted_and_escaped() -> None:
    source = write(*([f"/srv/$(touch owned)\x1b[31m/{number}.png"] for number in range(12)))

    text = report(source)

    assert "--image-root='/srv/$(touch owned)\\x1b[31m'" in " ".join(text.split())
    assert "\x1b" not in text


def test_paths_without_a_common_folder_are_named() -> None:
    source = write(*([f"/{name}/a.png"] for name in "abcdefghijklmn"))

    text = report(source)

    assert "/a/a.png is outside the image roots; it was not opened" in " ".join(text.split())
    assert "--image-root=DIR" in text


def test_what_a_path_leads_to_is_said() -> None:
    os.mkfifo("pipe.png")
    source = write(
        ["gone.png"], ["images"], ["pipe.png"], ["x" * 300], *([f"images/{n}.png"] for n in range(9))
    )

    assert [(rule, line) for rule, line, _ in found(lint_files([source], plan()))] == [
        ("image/not-found", 1),
        ("image/not-a-file", 2),
        ("image/not-a-file", 3),
        ("image/unreadable", 4),
    ]
