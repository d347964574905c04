"""Fixtures for all tests: a plugin tester, and no access to the network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from storage import Storage

pytest_plugins = ["pytester"]

# A shell starts background jobs with Ctrl-C ignored, and their children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of the network ask for it, and their servers listen on loopback only."""
    monkeypatch.setenv("VFT_OFFLINE", "1")


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs use the network: each test sees to it that they find loopback there."""
    monkeypatch.delenv("VFT_OFFLINE", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of an S3 server on loopback, and its log with one line for each request."""
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as file:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        server = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, "NO_COLOR": "1"})
    try:
        while "Running on" not in (text := log.read_text()):
            assert server.poll() is None, text
            time.sleep(0.05)
        yield text.partition("Running on ")[2].split()[0], log
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def s3(s3_server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Storage:
    """An empty bucket on loopback, which the environment leads to."""
    from storage import Storage  # noqa: PLC0415 - a check of the example data loads this file without extras

    return Storage.new(*s3_server, monkeypatch)
