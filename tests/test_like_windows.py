"""Windows and macOS, as far as Linux can simulate them; the workflow `ci` runs all tests on all three."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from evaluation.files import prediction, question, write_lines
from PIL import Image
from plugin.project import drawn

from pytest_vft import build_example, lint, write_jsonl
from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.cli import main

COMMANDS = [
    "vft check train.jsonl cards.json --offline --jobs=2 --no-cache",
    "vft check train.jsonl --offline --write-baseline",
    "vft check train.jsonl --offline --baseline=vft-baseline.json --report=html:page",
    "vft check other-drive/train.jsonl --config=vft.toml --write-baseline --baseline=other.json",
    "vft show train.jsonl:4 --save=images",
    "vft providers train.jsonl --offline",
    "vft convert train.jsonl --to=llamafactory --out=converted --allow-loss=weight",
    "vft fix train.jsonl --drop --out=fixed",
    "vft fix train.jsonl --in-place --drop",
    "vft submit plan train.jsonl",
    "vft eval new.jsonl --test=test.jsonl --min-accuracy=0.9",
    "vft eval other-drive/new.jsonl --test=test.jsonl --min-accuracy=0.9",
    "pytest -q -p no:cacheprovider --vft-only --vft-data=other-drive/train.jsonl",
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with datasets whose texts, names and ends of lines are those of Windows."""
    monkeypatch.chdir(tmp_path)
    write_jsonl(
        "train.jsonl",
        [
            build_example(f"What is {n}? 猫", "A square.", drawn("L" if n == 3 else "RGB", n))
            for n in range(12)
        ],
    )
    Path("train.jsonl").write_bytes(Path("train.jsonl").read_bytes().replace(b"\n", b"\r\n"))
    Path("images").mkdir()
    Image.new("RGB", (16, 16)).save("images/Grün.png")
    turns = [{"from": "human", "value": "<image>What?"}, {"from": "gpt", "value": "猫"}]
    card = [{"conversations": turns, "images": ["images/Grün.png", "images/猫.png"][:n]} for n in (1, 2)]
    Path("cards.json").write_text(json.dumps(card), encoding="utf-8")
    write_lines("test.jsonl", [question(n, truth="Yes") for n in range(20)])
    write_lines("new.jsonl", [prediction(n, "Yes" if n else "猫", "Yes") for n in range(20)])
    Path("other-drive").mkdir()
    for name in ("train.jsonl", "new.jsonl"):
        shutil.copy(name, "other-drive")
    Path("vft.toml").write_bytes(
        b'[per-file-ignores]\r\n"train.jsonl" = { "file/large" = "gr\xc3\xbcn" }\r\n'
    )
    return tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="simulates Windows with what Linux has")
def test_commands_work_without_what_windows_does_not_have(project: Path) -> None:
    program = Path(__file__).with_name("like_windows.py")
    environment = os.environ | {
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "cp1252",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "pytest_vft.plugin",
        "COLUMNS": "80",
    }
    command = [
        sys.executable,
        "-X",
        "warn_default_encoding",
        program,
        json.dumps([one.split() for one in COMMANDS]),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)

    text = done.stdout.decode("cp1252")
    assert (done.returncode, re.findall("Traceback|INTERNALERROR", text + done.stderr.decode("cp1252"))) == (
        0,
        [],
    )
    codes = re.findall(r"^\d+\r?$", text, re.MULTILINE)
    assert codes == ["1", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "1"]
    assert "What is 3? \\u732b" in text
    assert (project / "fixed" / "train.jsonl").read_bytes() == (project / "train.jsonl").read_bytes()


def test_ends_of_lines_of_windows_change_no_finding(project: Path) -> None:
    windows = lint("train.jsonl", offline=True)
    (project / "train.jsonl").write_bytes((project / "train.jsonl").read_bytes().replace(b"\r\n", b"\n"))

    assert windows.findings
    assert lint("train.jsonl", offline=True).findings == windows.findings


def test_names_of_one_file_in_two_cases_are_one_file(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On Windows and macOS, TRAIN.JSONL is train.jsonl; a second link is like that on other systems."""
    if not (project / "TRAIN.JSONL").exists():
        os.link("train.jsonl", "TRAIN.JSONL")

    main(["check", "train.jsonl", "TRAIN.JSONL", "--offline", "--format=json"])

    assert [file["path"] for file in json.loads(capsys.readouterr().out)["files"]] == ["train.jsonl"]


def test_descriptions_can_be_printed_in_code_page_1252(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="cp1252"))
    for name in ("image", "dataset", "together", "bedrock-nova", *shipped_rules()):
        assert main(["explain", name]) == 0
    assert main(["rules"]) == 0
    sys.stdout.flush()

    assert printed.getvalue().count(b"image/truncated") > 1
