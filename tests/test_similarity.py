"""Images that look alike: an exact search, and findings on pairs of files, by any number of workers."""

from __future__ import annotations

import io
import json
import random
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from pytest_vft.catalogue.cases import draw
from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.checking.alike import compare_images
from pytest_vft.checking.dataset import Place
from pytest_vft.checking.distinct_images import DistinctImages
from pytest_vft.checking.lint import lint_files
from pytest_vft.checking.looks import UNKNOWN, LookTable
from pytest_vft.checking.measuring import NEAR_COPY, SIMILAR_IMAGE
from pytest_vft.checking.memory import pack, unpack
from pytest_vft.checking.merging import FileTotals
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.results import LintResult
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.model import SPLITS, Source, Split
from pytest_vft.reading import similarity
from pytest_vft.reading.files import OpenedFile
from pytest_vft.reading.fingerprint import read_look
from pytest_vft.reading.similarity import alike_groups, find_similar
from pytest_vft.report.build import render_build
from pytest_vft.report.formats import render
from pytest_vft.report.html import render_html
from pytest_vft.report.json import as_data
from pytest_vft.report.text import unknown_lines
from pytest_vft.runs.build import build_dataset
from pytest_vft.runs.lint import lint

# Hashes near a few centres, so that many are similar.
CENTRES = st.sampled_from([0, 2**64 - 1, 0x0123456789ABCDEF])
FLIPS = st.sets(st.integers(0, 63), max_size=4)
HASHES = st.lists(
    st.builds(lambda centre, flips: centre ^ sum(1 << bit for bit in flips), CENTRES, FLIPS), max_size=60
)


def brute_force(hashes: Sequence[int], distance: int) -> list[list[int]]:
    groups = [{number} for number in range(len(hashes))]
    for one, other in combinations(range(len(hashes)), 2):
        if (hashes[one] ^ hashes[other]).bit_count() <= distance and groups[one] is not groups[other]:
            groups[one] |= groups[other]
            for number in groups[other]:
                groups[number] = groups[one]
    return sorted(
        {tuple(sorted(group)) for group in groups} and map(list, {tuple(sorted(g)) for g in groups})
    )


def groups(
    hashes: Sequence[int],
    are_alike: Callable[[int, int], bool] = lambda _, __: True,
    fingerprint: Callable[[int], bytes] = lambda _: b"",
    distance: int = 3,
) -> Sequence[Sequence[int]]:
    similar = find_similar(hashes, fingerprint, distance)
    assert similar is not None
    return alike_groups(similar, are_alike).groups


@settings(deadline=None)
@given(HASHES, st.integers(0, 6))
def test_groups_are_those_of_comparing_all(hashes: list[int], distance: int) -> None:
    assert groups(hashes, distance=distance) == brute_force(hashes, distance)


@settings(deadline=None)
@given(HASHES, st.integers(1, 4))
def test_numpy_finds_the_same(hashes: list[int], most: int) -> None:
    pytest.importorskip("numpy", minversion="2")

    def search() -> tuple[Any, ...]:
        found = find_similar(hashes, lambda number: bytes([number % 3]))
        assert found is not None
        pairs = sorted(map(sorted, found.pairs))
        return list(found.groups), pairs, sorted(map(list, found.crowded))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "MOST_COMPARED", most)
        alone = search()
        patch.setattr(similarity, "MOST_WITHOUT_NUMPY", -1)
        assert search() == alone


def test_only_equal_fingerprints_are_joined_without_a_look() -> None:
    def likeness(one: int, other: int) -> bool:
        return abs(one - other) == 2

    hashes = [0, 0, 1, 3, 0]

    assert groups(hashes, likeness, lambda number: bytes([number])) == [[0, 2, 4], [1, 3]]
    assert groups(hashes, likeness, lambda number: bytes([number % 4])) == [[0, 2, 4], [1, 3]]
    assert groups(hashes, lambda _, __: False) == [[0, 1, 4], [2], [3]]


def test_templates_are_cut_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "MOST_COMPARED", 12)
    hashes = [number << 32 for number in range(20)]  # three of four bands are equal

    def partly_compared(are_alike: Callable[[int, int], bool]) -> int:
        similar = find_similar(hashes)
        assert similar is not None
        return alike_groups(similar, are_alike).partly_compared

    assert partly_compared(lambda _, __: True) == 0  # all of them are in one group
    assert partly_compared(lambda _, __: False) == 14  # the six in the middle meet all others


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_images_that_were_compared_with_some_others_only_are_not_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similarity, "MOST_COMPARED", 1)
    noise = [random.Random(n).randbytes(18 * 16) for n in range(6)]  # noqa: S311 - no secret
    halves = [noise[0][:144] + half[144:] for half in noise]  # so the upper bands of their hashes are equal
    images = [png(Image.frombytes("L", (18, 16), data).resize((180, 160))) for data in halves]
    paths = written(tmp_path, train=[*images, smaller(images[0], "PNG")])

    report = lint(paths["train"], select="dataset/near-duplicate", require_checked=True)

    (near,) = [rule for rule in report.rules if rule.id == "dataset/near-duplicate"]
    assert 0 < near.gaps["partly_compared"] == near.tally.unknown <= len(images)
    assert near.id in [rule.id for rule in report.failing]
    assert near.tally.unknown + near.tally.checked == len(images) + 1
    said = f"{near.tally.unknown} images: compared with only some others, as too many look nearly alike"
    for kind in "text", "concise", "sarif":
        assert said in " ".join(render(report, kind).split())
    assert as_data(report)["rules"][-1]["partly_compared"] == near.tally.unknown
    rows = [{"question": "What?", "answer": "A dog.", "image": image} for image in images]
    built = render_build(build_dataset(rows, out=tmp_path / "out", split="50/50", exact=True, near=True))
    assert f"{len(images)} images compared with only some others" in " ".join(built.split())
    assert "like one of another split" not in " ".join(built.split())


# Tables


SIZE = 9  # bytes of a fingerprint


LOOKS = st.lists(
    st.tuples(
        st.integers(1, 9),
        st.integers(0, 2**64 - 1),
        st.sampled_from(
            [
                None,
                "",
                b64encode(bytes(SIZE)).decode(),
                b64encode(b"x" * SIZE).decode(),
            ]
        ),
    ),
    max_size=5,
)


def table(looks: Iterable[tuple[int, int, str | None]]) -> LookTable:
    found = LookTable()
    for look in looks:
        found.append(*look, "damaged" if look[1] % 2 else "oversized")
    return found


@settings(deadline=None)
@given(LOOKS, LOOKS, LOOKS)
def test_merging_is_associative(
    one: list[tuple[int, int, str | None]],
    two: list[tuple[int, int, str | None]],
    three: list[tuple[int, int, str | None]],
) -> None:
    def shards() -> list[ShardTotals]:
        return [ShardTotals(lines=9, looks=table(looks)) for looks in (one, two, three)]

    left, (first, *rest) = shards(), shards()
    left[1].extend(left[2], 0)
    left[0].extend(left[1], 0)
    for other in rest:
        first.extend(other, 0)

    assert list(left[0].looks) == list(first.looks)
    packed = pack(first)
    assert packed is not None
    known = unpack(packed)
    assert known is not None
    assert list(known.looks) == list(first.looks)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(SPLITS), LOOKS), max_size=4))
def test_images_of_all_files(files: list[tuple[Split, list[tuple[int, int, str | None]]]]) -> None:
    """In each split, the first known fingerprint of an image counts, and its first place."""
    files.sort(key=lambda file: SPLITS.index(file[0]))
    opened = OpenedFile(0, "jsonl", byte_order_mark=False, error=None)
    totals = []
    for split, looks in files:
        found = table((line, key % 3, look) for line, key, look in looks)
        totals.append(FileTotals(Source("x", split), frozenset(), opened, totals=ShardTotals(looks=found)))
    fingerprints: dict[tuple[int, Split], bytes | None] = {}
    places: dict[tuple[int, Split], Place] = {}
    for file in totals:
        for line, key, state, fingerprint in file.totals.looks:
            one = (key, file.source.split)
            if fingerprints.get(one) is None:
                fingerprints[one] = fingerprint if state < UNKNOWN else None
            places.setdefault(one, Place(file, line))

    images = DistinctImages(totals, decoded=True)

    numbers = {one: number for number, one in enumerate(fingerprints)}
    assert list(images.keys) == [key for key, _ in numbers]
    for one, number in numbers.items():
        key, split = one
        assert (images.first(number), SPLITS[images.split(number)]) == (places[one], split)
        earlier = SPLITS[: SPLITS.index(split)]
        assert images.is_in_earlier_split(number) == any((key, other) in numbers for other in earlier)
    known, flat, unknown = images.divided()
    found = {one: images.fingerprint(one) for one in known}
    found |= dict.fromkeys(flat, b"") | dict.fromkeys(unknown)
    assert found == {number: fingerprints[one] for one, number in numbers.items()}


# Likeness is not transitive: of three grounds, the middle one may look like both others.


def drawing(ground: int, flips: Iterable[int]) -> bytes:
    """Return the fingerprint of a drawing on *ground*."""
    hashed = 0x0123456789ABCDEF ^ sum(1 << bit for bit in set(flips))
    return hashed.to_bytes(8) + bytes([ground] * 200 + [30] * 88) + bytes(60)


DRAWINGS = st.lists(
    st.builds(drawing, st.sampled_from([232, 236, 240, 244]), st.lists(st.integers(0, 9), max_size=4)),
    min_size=8,
    max_size=8,
)
KEYS = st.lists(st.integers(0, 7), max_size=6, unique=True)  # of drawings in a split


def findings_of(drawings: Sequence[bytes], splits: Sequence[Sequence[int]]) -> set[tuple[str, str, int, str]]:
    """Return the kind, the split, the key and the earlier place of each drawing that looks like another."""
    opened = OpenedFile(0, "jsonl", byte_order_mark=False, error=None)
    files = []
    for split, keys in zip(SPLITS, splits, strict=True):
        looks = LookTable()
        for number, key in enumerate(keys, 1):
            looks.append(number, key, b64encode(drawings[key]).decode(), "oversized")
        totals = ShardTotals(lines=len(keys), looks=looks)
        files.append(FileTotals(Source(split, split), frozenset(), opened, totals=totals))
    subjects = compare_images(files, (SIMILAR_IMAGE, NEAR_COPY), decoded=True).subjects
    return {
        (one.facts["kind"], one.places[0].split, one.key, str(one.first))
        for one in subjects
        if one.facts["similar"]
    }


def are_alike(one: bytes, other: bytes) -> bool:
    ours, theirs = read_look(one), read_look(other)
    return (ours.hash ^ theirs.hash).bit_count() <= similarity.DISTANCE and ours.is_like(theirs)


@settings(deadline=None)
@given(DRAWINGS, st.tuples(KEYS, KEYS, KEYS), st.randoms(use_true_random=False))
def test_findings_are_those_of_comparing_all_in_any_order(
    drawings: list[bytes], splits: tuple[list[int], ...], chance: random.Random
) -> None:
    expected = set()
    before: list[tuple[Split, int, int]] = []  # split, line and key
    for split, keys in zip(SPLITS, splits, strict=True):
        for line_, key in enumerate(keys, 1):
            alike = [one for one in before if one[2] != key and are_alike(drawings[one[2]], drawings[key])]
            for kind, earlier in (
                (NEAR_COPY, [one for one in alike if one[0] == split]),
                (SIMILAR_IMAGE, [one for one in alike if one[0] != split]),
            ):
                is_there = kind == SIMILAR_IMAGE and any(one[0] != split and one[2] == key for one in before)
                if earlier and not is_there:
                    expected.add((kind, split, key, f"{earlier[0][0]}:{earlier[0][1]}"))
            before.append((split, line_, key))

    assert findings_of(drawings, splits) == expected
    shuffled = [chance.sample(keys, len(keys)) for keys in splits]
    leaks = {one[:3] for one in expected if one[0] == SIMILAR_IMAGE}
    assert {one[:3] for one in findings_of(drawings, shuffled) if one[0] == SIMILAR_IMAGE} == leaks


def test_images_built_into_splits_do_not_look_alike(tmp_path: Path) -> None:
    def drawn(ground: int, x: int) -> bytes:
        image = Image.new("L", (180, 160), ground)
        ImageDraw.Draw(image).ellipse((x, 40, x + 60, 120), 30)
        return png(image)

    images = [drawn(ground, x) for x in (20, 70, 110) for ground in (232, 236, 240)]  # neighbours are alike
    rows = [{"question": "What?", "answer": f"A dog {at}.", "image": one} for at, one in enumerate(images)]
    for order in (rows, rows[::-1], rows[::2] + rows[1::2]):
        build_dataset(order, out=tmp_path / "out", split="34/33/33", exact=True, near=True, force=True)
        paths = {"validation": tmp_path / "out/validation.jsonl", "test": tmp_path / "out/test.jsonl"}
        report = lint(tmp_path / "out/train.jsonl", **paths, select="dataset/near-split-leak")
        assert not report.findings
        assert [rule.tally.checked for rule in report.rules if rule.id == "dataset/near-split-leak"] == [9]
    leaking = build_dataset(rows, out=tmp_path / "out", split="34/33/33", exact=True, force=True)
    assert "different splits; --near keeps them in one" in render_build(leaking)
    in_part = render_build(replace(leaking, alike=0, partly_compared=2))
    assert "images that look alike are in different splits, as not all were compared" in in_part
    found_ = findings_of([drawing(ground, ()) for ground in (240, 236, 232)], [[0, 1], [2], []])
    assert (SIMILAR_IMAGE, "validation", 2, "train:2") in found_


# Formats in which one photo is saved. A target converts some of them, and some are not decoded.
COPIES: Mapping[str, Mapping[str, Any]] = {
    "JPEG": {"quality": 90},
    "PNG": {},
    "WEBP": {"quality": 80},
    "BMP": {},
    "GIF": {},
    "TIFF": {},
    "AVIF": {},
}


def copies_of_photos(number: int) -> Iterator[bytes]:
    """Yield copies of photos of all kinds, turned by EXIF and of 16 bits, and of a flat image."""
    turned = Image.Exif()
    turned[0x0112] = 6  # the tag of the orientation: to be turned by 90 degrees
    for seed in range(number):
        small = Image.frombytes("RGB", (6, 5), random.Random(seed).randbytes(90))  # noqa: S311 - no secret
        photo = small.resize((180, 144), Image.Resampling.BICUBIC)
        grey = photo.convert("L").convert("I").point(lambda level: level * 257).convert("I;16")
        for image, kind, more in (
            *((photo, kind, more) for kind, more in COPIES.items()),
            (photo.transpose(Image.Transpose.ROTATE_90), "JPEG", {"quality": 88, "exif": turned}),
            (grey, "PNG", {}),
        ):
            file = io.BytesIO()
            image.save(file, kind, **more)
            yield file.getvalue()
    for kind in "PNG", "BMP", "TIFF":
        file = io.BytesIO()
        Image.new("RGB", (64, 64), (200, 9, 9)).save(file, kind)
        yield file.getvalue()


@pytest.mark.parametrize(("to", "kept", "more"), [
    ("openai", 0, {}),
    ("openai", 0, {"quality": 10}),
    ("trl", 26, {}),  # GIF, BMP, TIFF and AVIF of the photos, and two of the flat image
    ("trl", 0, {"quality": 40}),
])  # fmt: skip
def test_images_are_compared_as_they_are_built(
    to: str, kept: int, more: Mapping[str, Any], tmp_path: Path
) -> None:
    images = list(copies_of_photos(6))
    rows = [
        {"question": f"What is {at}?", "answer": f"It is {at}.", "image": image}
        for at, image in enumerate(images)
    ]
    boxes = '{"bbox_2d": [10, 20, 30, 40]}'  # such an example keeps its image as it is turned
    rows += [{**row, "answer": boxes} for row in rows[7::9]]
    table = tmp_path / "rows.jsonl"
    for order in rows, rows[::-1]:
        (tmp_path / "images").mkdir(exist_ok=True)
        with table.open("w", encoding="utf-8") as file:
            for row in order:
                place = f"images/{images.index(row['image'])}"
                (tmp_path / place).write_bytes(row["image"])
                file.write(json.dumps({**row, "image": place}) + "\n")
        built = build_dataset(
            table, to=to, out=tmp_path / "out", split="50/25/25", near=True, force=True, **more
        )
        paths = {split: tmp_path / f"out/{split}.jsonl" for split in ("validation", "test")}
        rules = ("dataset/near-split-leak", "dataset/image-in-two-splits", "dataset/split-leak")
        report = lint(tmp_path / "out/train.jsonl", **paths, provider=to, select=rules, depth="full")

        assert not report.findings
        (near,) = [rule for rule in report.rules if rule.id == "dataset/near-split-leak"]
        assert (built.uncompared, near.tally.unknown) == (kept, kept)
        said = " ".join(render_build(built).split())
        assert (f"; {kept} images not compared: damaged, too large" in said) == bool(kept)
        assert ("no image that was compared is like one of another split" in said) == bool(kept)
        assert built.groups <= len(images) / 3 + kept
        assert "near-split-leak: " not in said
        assert "--near" not in said


# Findings


SHAPES, OTHERS = draw("jpeg 256x192 rgb shows=shapes")[1], draw("jpeg 256x192 rgb shows=other-shapes")[1]


def smaller(data: bytes, kind: str = "JPEG") -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        file = io.BytesIO()
        image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS).save(file, kind)
    return file.getvalue()


def line(url: str, question: str = "What is this?") -> str:
    content = [{"type": "text", "text": question}, {"type": "image_url", "image_url": {"url": url}}]
    answer = {"role": "assistant", "content": "A dog."}
    return json.dumps({"messages": [{"role": "user", "content": content}, answer]}) + "\n"


def embedded(data: bytes) -> str:
    kind = "png" if data[:1] == b"\x89" else "jpeg"
    return f"data:image/{kind};base64,{b64encode(data).decode()}"


def written(tmp_path: Path, **files: Sequence[bytes]) -> dict[str, str]:
    paths = {}
    for split, images in files.items():
        path = tmp_path / f"{split}.jsonl"
        path.write_text("".join(line(embedded(data), f"What is {n}?") for n, data in enumerate(images)))
        paths[split] = str(path)
    return paths


NEAR = {
    id_: rule
    for id_, rule in shipped_rules().items()
    if id_ in ("dataset/near-split-leak", "dataset/near-duplicate")
}


def found(result: LintResult) -> list[tuple[str, str, int | None]]:
    return [
        (one.found.rule.partition("/")[2], Path(one.path).stem, one.found.line) for one in result.findings
    ]


def compare(paths: dict[str, str], **options: Any) -> LintResult:
    splits: dict[str, Split] = {"train": "train", "validation": "validation", "test": "test"}
    sources = [Source(path, splits[name]) for name, path in paths.items()]
    plan = LintPlan(
        rules=tuple(NEAR.values()), image_tokens=None, full=options.pop("full", True), max_findings=0
    )
    return lint_files(sources, plan, **options)


def test_images_that_look_alike_are_found_where_they_measure_the_model(tmp_path: Path) -> None:
    paths = written(
        tmp_path, train=[SHAPES, OTHERS], validation=[smaller(SHAPES)], test=[OTHERS, smaller(OTHERS)]
    )

    result = compare(paths)

    assert sorted(found(result)) == [
        ("near-duplicate", "test", 2),
        ("near-split-leak", "test", 2),
        ("near-split-leak", "validation", 1),
    ]
    assert "train.jsonl:1 (train, validation)" in result.findings[0].found.message


def scanned_form(seed: int) -> bytes:
    """A form that is filled in by *seed*, in light from one side."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    page = Image.new("L", (600, 800), "white")
    draw_on = ImageDraw.Draw(page)
    for top in range(40, 740, 70):
        draw_on.rectangle((150, top, 570, top + 46), outline="grey")
        end = chance.randint(220, 560)
        draw_on.line([(x, top + 23 + chance.uniform(-14, 14)) for x in range(160, end, 5)], 60, 2)
    light = Image.linear_gradient("L").rotate(90).resize(page.size)
    light = light.point([120 + level // 2 for level in range(256)])
    file = io.BytesIO()
    ImageChops.multiply(page, light).convert("RGB").save(file, "JPEG", quality=90)
    return file.getvalue()


def test_scans_of_a_form_look_alike_only_if_they_are_filled_in_the_same(tmp_path: Path) -> None:
    first, *others = map(scanned_form, range(8))

    assert not compare(written(tmp_path, train=[first, *others[:4]], test=others[4:])).findings
    paths = written(tmp_path, train=[*others, first], test=[smaller(first)])
    assert found(compare(paths)) == [("near-split-leak", "test", 1)]


def test_shards_and_workers_find_the_same(tmp_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311 - no secret
    images = [
        SHAPES,
        OTHERS,
        smaller(SHAPES),
        smaller(OTHERS, "PNG"),
        draw("png 200x150 rgb shows=shapes")[1],
    ]
    paths = written(tmp_path, train=chance.choices(images, k=12), test=chance.choices(images, k=12))

    whole = compare(paths)
    assert found(whole)
    with ThreadPoolExecutor(2) as pool:
        for options in ({"shard_bytes": 1}, {"shard_bytes": 20_000, "workers": lambda _: pool}):
            cut = compare(paths, **options)
            assert (cut.findings, cut.dataset) == (whole.findings, whole.dataset)


def test_header_depth_says_that_images_were_not_compared(tmp_path: Path) -> None:
    paths = written(tmp_path, train=[SHAPES], validation=[smaller(SHAPES)])

    report = lint(paths["train"], validation=paths["validation"], depth="header")

    (near,) = [rule for rule in report.rules if rule.id == "dataset/near-split-leak"]
    assert (near.tally.unknown, near.tally.checked) == (2, 0)
    assert any(
        "not decoded at depth header (dataset/near-split-leak)" in line for line in unknown_lines(report)
    )


def test_images_that_the_depth_leaves_out_fail_only_what_was_selected(tmp_path: Path) -> None:
    paths = written(tmp_path, train=[SHAPES], validation=[smaller(SHAPES)])

    def failing(**options: Any) -> set[str]:
        both = {"validation": paths["validation"], "depth": "header", "require_checked": True}
        return {rule.id for rule in lint(paths["train"], **both, **options).failing}

    always = failing()
    assert "dataset/near-split-leak" not in always
    selected = {"dataset/near-duplicate", "image/dark"}
    assert failing(extend_select=",".join(selected)) - always == selected
    assert "dataset/near-split-leak" in failing(extend_select="dataset/near-split-leak")


def test_examples_of_the_project_have_no_finding_on_what_images_show() -> None:
    books = Path(__file__).parents[1] / "examples" / "books"
    rules = "dark", "bright", "low-information", "blurry", "odd-aspect", "grayscale"
    select = [*(f"image/{name}" for name in rules), "dataset/near-split-leak", "dataset/near-duplicate"]

    report = lint(
        books / "train.jsonl",
        validation=books / "validation.jsonl",
        test=books / "test.jsonl",
        select=select,
        cache=False,
    )

    assert not report.findings
    assert all(rule.tally.checked for rule in report.rules)


def test_too_many_images_without_numpy_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similarity, "MOST_WITHOUT_NUMPY", 1)
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    paths = written(tmp_path, train=[SHAPES], validation=[OTHERS])

    report = lint(paths["train"], validation=paths["validation"])

    (near,) = [rule for rule in report.rules if rule.id == "dataset/near-split-leak"]
    assert near.tally.unknown == 2
    assert any("2 images: too many to compare without numpy" in line for line in unknown_lines(report))
    strict = lint(paths["train"], validation=paths["validation"], require_checked=True)
    assert near.id in [rule.id for rule in strict.failing]


def test_page_does_not_say_that_an_image_recurs_which_only_looks_alike(tmp_path: Path) -> None:
    paths = written(tmp_path, train=[SHAPES], validation=[smaller(SHAPES)])

    page = render_html(lint(paths["train"], validation=paths["validation"], select="dataset/near-split-leak"))

    assert "earlier image" in page
    assert "looks like it" in page
    assert "first occurrence" not in page
    assert "recurs here" not in page


def test_second_run_compares_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = written(tmp_path, train=[SHAPES, OTHERS], validation=[smaller(SHAPES)])
    first = lint(paths["train"], validation=paths["validation"])
    monkeypatch.setattr(
        "pytest_vft.reading.image_reader.read_image", lambda *_, **__: pytest.fail("decoded again")
    )

    assert lint(paths["train"], validation=paths["validation"]) == first
    assert "dataset/near-split-leak" in {finding.rule for finding in first.findings}
