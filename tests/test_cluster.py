"""Real clusters of Dask on loopback: the same report, and clear errors when processes die."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import trustme
from plans import plan

from pytest_vft.checking import cluster as clusters
from pytest_vft.checking.cluster import ClusterExecutor, open_cluster, scheduler_address
from pytest_vft.checking.lint import lint_files
from pytest_vft.cli import main
from pytest_vft.errors import ConfigError, LintError, UsageError
from pytest_vft.model import Report, Source
from pytest_vft.reading.remote import ReadProgress
from pytest_vft.runs.config import load_config
from pytest_vft.runs.lint import lint

SMALL_FILES = 20_000

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kills processes, and reads /proc")


def example(number: int, image: str = "") -> str:
    parts = [{"type": "text", "text": f"What is {number}?"}]
    if image:
        parts.append({"type": "image_url", "image_url": {"url": image}})  # type: ignore[dict-item]
    messages = [
        {"role": "user", "content": parts},
        {"role": "assistant", "content": f"It is {random.Random(number).random()}."},  # noqa: S311 - an answer
    ]
    return json.dumps({"messages": messages}) + "\n"


@contextmanager
def started(*command: str, folder: Path, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of Dask in *folder*, with its log there; kill it at the end."""
    here = {key: value for key, value in os.environ.items() if not key.startswith(("COV_", "COVERAGE"))}
    with (folder / f"{command[0]}.log").open("ab") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("dask"), *command],
            cwd=folder,
            env={**here, "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false", **environ},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for pid in _family(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(timeout=30)


def _family(parent: int) -> list[int]:
    """Return the process *parent* and its children: a nanny has the worker as a child."""
    found = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False)
    return [parent, *map(int, found.stdout.split())]


@contextmanager
def scheduler(folder: Path, *options: str, **environ: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start a scheduler and yield its process and address."""
    file = folder / "scheduler.json"
    where = ("--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0")
    with started(
        "scheduler", *where, *options, "--scheduler-file", str(file), folder=folder, **environ
    ) as run:
        for _ in range(600):
            if file.exists() and (text := file.read_text(encoding="utf-8")).endswith("}"):
                break
            time.sleep(0.05)
        yield run, json.loads(text)["address"]


def worker(folder: Path, address: str, *options: str) -> Any:
    where = ("--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard")
    return started("worker", address, *where, *options, folder=folder)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """The process of a scheduler with two workers, whose current folder is another one, and its address."""
    folder = tmp_path_factory.mktemp("cluster")
    with (
        scheduler(folder) as (process, address),
        worker(folder, address, "--no-nanny"),
        worker(folder, address, "--no-nanny"),
    ):
        yield process.pid, address.replace("tcp", "dask")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    return tmp_path


# Names


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("dask://scheduler:8786", "tcp://scheduler:8786"),
        ("dask://scheduler", "tcp://scheduler:8786"),
        ("tcp://10.0.0.7:1/", "tcp://10.0.0.7:1"),
        ("tls://dask.example:9000", "tls://dask.example:9000"),
        ("dask://[::1]:8786", "tcp://[::1]:8786"),
        ("dask", "tls://from-the-environment:8786"),
    ],
)
def test_names_of_schedulers(name: str, address: str) -> None:
    assert scheduler_address(name, {"DASK_SCHEDULER_ADDRESS": "tls://from-the-environment:8786"}) == address


@pytest.mark.parametrize(
    ("name", "variable", "words"),
    [
        ("dask", "", "DASK_SCHEDULER_ADDRESS is not set"),
        ("dask", "http://a:1", 'DASK_SCHEDULER_ADDRESS is "http://a:1"; expected dask://HOST:PORT'),
        ("scheduler:8786", "", 'cluster is "scheduler:8786"; expected dask://HOST:PORT, tls://HOST'),
        ("dask://h:99999", "", "expected dask://HOST:PORT"),
        ("dask://h:1/path?x", "", "expected dask://HOST:PORT"),
        ("dask://h\x1b[2J", "", r"\\x1b\[2J"),
    ],
)
def test_other_names_are_usage_errors(name: str, variable: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        scheduler_address(name, {"DASK_SCHEDULER_ADDRESS": variable})


@pytest.mark.parametrize("name", ["dask", "dask://user:s3cret@host:8786"])
def test_passwords_are_not_shown(name: str) -> None:
    with pytest.raises(UsageError, match="an address with a user name; expected") as raised:
        scheduler_address(name, {"DASK_SCHEDULER_ADDRESS": "tcp://user:s3cret@host:8786"})

    assert "s3cret" not in str(raised.value)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(UsageError, match=r'needs Dask distributed: pip install "pytest-vft\[dask\]"'):
        scheduler_address("dask://h:1", {})


def test_configuration_cannot_name_a_cluster(here: Path) -> None:
    (here / "vft.toml").write_text('cluster = "dask://h:1"\n', encoding="utf-8")

    with pytest.raises(ConfigError, match=r"cluster is not allowed here \(a cluster runs code"):
        load_config()


def test_scheduler_that_does_not_answer_ends_the_command(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed.worker import dask  # noqa: PLC0415 - 0.3 s; with the defaults of distributed

    (here / "train.jsonl").write_text(example(1), encoding="utf-8")
    monkeypatch.setattr(clusters, "_ANSWER", 0.1)
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "200ms"}),
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        for port, words in (
            (1, "Timed out"),
            (silent.getsockname()[1], "a server is there, and said nothing"),
        ):
            code = main(["check", "--offline", f"--cluster=dask://127.0.0.1:{port}", "train.jsonl"])
            error = f"vft: tcp://127.0.0.1:{port}: no answer from a scheduler: {words}"
            assert (code, error in capsys.readouterr().err) == (2, True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--vft-data=train.jsonl",
        "-n2",
    ]
    tested = subprocess.run(
        [*command, "--vft-cluster=dask://127.0.0.1:1"],
        env={**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "200ms"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 4
    assert tested.stderr.count("no answer from a scheduler") == 1
    assert "FAILED" not in tested.stdout
    with pytest.raises(UsageError, match=r"tls://127.0.0.1:1 needs certificates: set DASK_\w+TLS__CA_FILE"):
        open_cluster("tls://127.0.0.1:1", {}).__enter__()


# One cluster


def test_small_files_do_not_fill_the_scheduler(cluster: tuple[int, str], here: Path) -> None:
    """The files have 200 contents, and are links to these."""
    names = [f"{number:05}.jsonl" for number in range(SMALL_FILES)]
    for number, name in enumerate(names):
        if number < 200:
            (here / name).write_text(example(number), encoding="utf-8")
        else:
            os.link(names[number % 200], name)
    sources = [Source(name) for name in names]

    with open_cluster(cluster[1], {}) as executor:
        there = lint_files(sources, plan(), workers=lambda _: executor)
        assert not executor.count_repeated()

    assert there == lint_files(sources, plan())
    assert executor.tasks == -(-SMALL_FILES // 64)
    status = Path(f"/proc/{cluster[0]}/status").read_text(encoding="ascii")
    (most,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert most < 200_000  # kB; 85,000 without any task


def test_check_providers_and_pytest_run_on_a_cluster(
    cluster: tuple[int, str], here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the cache is not read by the cluster again."""
    lines = (example(number, "data:image/png;base64,AAAA" if number == 9 else "") for number in range(8_000))
    (here / "train.jsonl").write_text("".join(lines), encoding="utf-8")
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster[1].replace("dask", "tcp"))

    def run(*arguments: str) -> tuple[str, str]:
        main([*arguments, "train.jsonl"])
        return tuple(capsys.readouterr())  # type: ignore[return-value]

    check = ("check", "--offline")
    local, _ = run(*check, "--no-cache")
    there, err = run(*check, "--cluster=dask")
    again, err_again = run(*check, "--cluster=dask")
    assert local == there == again
    assert err == f"vft: 1 task on the cluster at {os.environ['DASK_SCHEDULER_ADDRESS']}\n"
    assert err_again.startswith("vft: 0 tasks")
    compare = ("providers", "--offline", "--no-cache", "--provider=trl")
    assert run(*compare, "--cluster=dask") == run(*compare)

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--vft-data=train.jsonl"]
    command += ["--vft-offline", "--vft-no-cache", f"--vft-cluster={cluster[1]}", "--vft-select=image"]
    tested = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tested.returncode == 1
    assert "train.jsonl:10" in tested.stdout


INTERRUPTED = """
import sys, time
from pytest_vft.checking.cluster import ClusterExecutor
from pytest_vft.cli import main

def sleep(self, *_, submit=ClusterExecutor.submit):
    print("submitted", file=sys.stderr, flush=True)
    return submit(self, time.sleep, 3)

ClusterExecutor.submit = sleep
sys.exit(main(["check", "--offline", "--no-cache", "--cluster=" + sys.argv[1], "train.jsonl"]))
"""


@pytest.mark.parametrize("stopped", [False, True])
def test_ctrl_c_ends_the_command(cluster: tuple[int, str], here: Path, *, stopped: bool) -> None:
    """Also while the scheduler hangs."""
    (here / "train.jsonl").write_text(example(1), encoding="utf-8")
    command = [sys.executable, "-c", INTERRUPTED, cluster[1]]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        assert run.stderr is not None
        assert run.stderr.readline() == "submitted\n"
        if stopped:
            os.kill(cluster[0], signal.SIGSTOP)
        try:
            os.killpg(run.pid, signal.SIGINT)
            out, err = run.communicate(timeout=30)
        finally:
            os.kill(cluster[0], signal.SIGCONT)

    assert (run.returncode, out, err) == (130, "", "vft: interrupted\n")


def test_only_a_scheduler_that_hangs_is_given_up(
    cluster: tuple[int, str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that answers late is not, nor are workers that are busy for longer than the patience."""
    (here / "train.jsonl").write_text("".join(map(example, range(4_000))), encoding="utf-8")
    sources = [Source("train.jsonl")]
    local = lint_files(sources, plan())
    for name in ("_COUNTED", "_PATIENCE", "_FIRST_WORD"):
        monkeypatch.setattr(clusters, name, 0.2)
    told: list[clusters.ClusterWait] = []

    with open_cluster(cluster[1], {}, told.append) as executor:
        busy = [executor.submit(time.sleep, 1) for _ in range(2)]
        assert lint_files(sources, plan(), workers=lambda _: executor) == local
        assert (len(busy), told) == (2, [])

        def run(seconds: float) -> Report:
            """Let the scheduler hang for *seconds* from the first result on."""
            waker = Timer(seconds, os.kill, (cluster[0], signal.SIGCONT))

            def stop(_: ReadProgress) -> None:
                if waker.ident is None:
                    os.kill(cluster[0], signal.SIGSTOP)
                    waker.start()

            try:
                return lint_files(sources, plan(), workers=lambda _: executor, watch=stop, shard_bytes=10_000)
            finally:
                waker.cancel()
                os.kill(cluster[0], signal.SIGCONT)

        monkeypatch.setattr(clusters, "_ANSWER", 0.2)
        monkeypatch.setattr(clusters, "_PATIENCE", 60)
        assert run(1) == local
        monkeypatch.setattr(clusters, "_PATIENCE", 0.5)
        message = r"bytes [1-9][0-9,]* to [0-9,]+: the scheduler at tcp://.* has not answered for 0 seconds"
        with pytest.raises(LintError, match=message):
            run(60)
        assert {wait.answers for wait in told} == {False}  # at least in the first run


def test_a_cluster_without_workers_is_an_error(
    tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one whose only worker has another version, or none."""
    for name in ("_COUNTED", "_PATIENCE"):
        monkeypatch.setattr(clusters, name, 0.2)
    (here / "train.jsonl").write_text(example(1), encoding="utf-8")
    old = tmp_path / "old" / "pytest_vft"
    old.mkdir(parents=True)
    (old / "__init__.py").touch()

    with scheduler(tmp_path) as (_, address):
        with open_cluster(address, {}) as executor, pytest.raises(LintError, match="has had no workers for"):
            lint("train.jsonl", offline=True, executor=executor)
        check_words_of_a_wait(address)
        monkeypatch.setenv("PYTHONPATH", str(old.parent))
        with worker(tmp_path, address, "--no-nanny"):
            monkeypatch.setattr(clusters, "_PATIENCE", 60)
            with (
                open_cluster(address, {}) as executor,
                pytest.raises(LintError, match="not have this version"),
            ):
                lint("train.jsonl", offline=True, executor=executor)


WITHOUT_WORKERS = """
import sys
import pytest
from pytest_vft.checking import cluster
from pytest_vft.cli import main

cluster._COUNTED, cluster._FIRST_WORD, cluster._PATIENCE = 0.2, 0.6, 1.6
if sys.argv[1] == "pytest":
    sys.exit(pytest.main(sys.argv[2:]))
sys.exit(main(sys.argv[1:]))
"""


def check_words_of_a_wait(address: str) -> None:
    """Check that a wait for workers is told once in logs of CI, and not if nothing is to be told."""
    check = ["check", "--offline", f"--cluster={address}", "train.jsonl"]
    tested = ["pytest", "-pno:cacheprovider", "--vft-data=train.jsonl", f"--vft-cluster={address}"]
    told = f"vft: the cluster at {address} has had no workers for 1 second; the check ends after 2 seconds; "
    for arguments, number in ((check, 1), ([*check, "--quiet"], 0), (tested, 1)):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_WORKERS, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode in {1, 2}
        assert done.stderr.count(told) == number


# Deaths


class Calling(Executor):
    """Has another function called in place of each task."""

    def __init__(self, executor: ClusterExecutor, function: Callable[..., Any], *arguments: Any) -> None:
        self._executor = executor
        self._call = (function, *arguments)

    def submit(self, *_: Any) -> Future[Any]:  # type: ignore[override]
        return self._executor.submit(*self._call)


def certificates(folder: Path) -> Sequence[Path]:
    """Write an authority and a certificate for 127.0.0.1; return the files of authority, certificate, key."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = [folder / name for name in ("ca.pem", "cert.pem", "key.pem")]
    authority.cert_pem.write_to_path(files[0])
    issued.cert_chain_pems[0].write_to_path(files[1])
    issued.private_key_pem.write_to_path(files[2])
    return files


@pytest.mark.filterwarnings(
    "ignore:unclosed <ssl.SSLSocket:ResourceWarning"
)  # of refused connections of Dask
def test_deaths_of_workers_and_of_the_scheduler(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The cluster speaks TLS; a task that has killed two workers is given up."""
    from distributed.worker import dask  # noqa: PLC0415 - as above

    files = certificates(here)
    options = [f"--tls-{name}={file}" for name, file in zip(("ca-file", "cert", "key"), files, strict=True)]
    keys = ("ca-file", "client.cert", "client.key")
    settings = {"distributed.comm.timeouts.connect": "2s"}
    settings |= {f"distributed.comm.tls.{key}": str(file) for key, file in zip(keys, files, strict=True)}
    (here / "train.jsonl").write_text("".join(map(example, range(4_000))), encoding="utf-8")
    source = Source("train.jsonl")
    local = lint_files([source], plan())
    with ExitStack() as stack:
        process, address = stack.enter_context(
            scheduler(here, *options, "--protocol", "tls", DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1")
        )
        first = stack.enter_context(worker(here, address, *options, "--no-nanny"))
        stack.enter_context(worker(here, address, *options))
        stack.enter_context(dask.config.set(settings))
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
        executor = stack.enter_context(open_cluster("dask", os.environ))
        assert address.startswith("tls://")
        for _ in range(600):
            if executor._max_workers == 2:  # noqa: SLF001 - both have come
                break
            executor._counted = 0  # noqa: SLF001 - ask again
            time.sleep(0.05)

        held: list[Future[None]] = []

        def kill(read: ReadProgress) -> None:
            """Kill a worker that has a task."""
            if read.done > read.total / 4 and not held:
                for _ in range(600):  # on a busy machine, tasks may end before they are seen
                    held.extend(executor.submit(time.sleep, 1) for _ in range(2))
                    time.sleep(0.05)
                    if all(executor._client.processing().values()):  # noqa: SLF001 - both have one
                        break
                first.kill()

        there = lint_files([source], plan(), workers=lambda _: executor, watch=kill, shard_bytes=10_000)
        assert there == local
        assert first.wait(timeout=30) == -signal.SIGKILL
        assert 1 <= executor.count_repeated() <= executor.tasks

        broken = (
            (Calling(executor, os.listdir, "/proc/none"), ".*: '/proc/none'"),
            (Calling(executor, exec, "raise TimeoutError"), "TimeoutError"),
        )
        for calling, words in broken:
            with pytest.raises(LintError, match=rf"bytes 0 to [0-9,]+: a worker failed: {words}; see"):
                lint_files([source], plan(), workers=lambda _: calling)  # noqa: B023 - called at once

        with pytest.raises(LintError, match=r"train.jsonl: bytes 0 to [0-9,]+: 2 workers died at this task"):
            lint_files([source], plan(), workers=lambda _: Calling(executor, os._exit, 1))
        assert executor.count_repeated() >= 1

        def kill_scheduler(_: ReadProgress) -> None:
            process.kill()

        message = (
            r"train.jsonl: bytes [1-9][0-9,]* to [0-9,]+: the connection to the scheduler at tls://.* is lost"
        )
        with pytest.raises(LintError, match=message):
            lint_files([source], plan(), workers=lambda _: executor, watch=kill_scheduler, shard_bytes=10_000)
    gc.collect()  # the sockets of Dask, while their warning is ignored
    assert capfd.readouterr() == ("", "")  # nothing of Dask's own log
