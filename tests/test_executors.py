"""Shards have the same totals wherever they are linted; failures of workers name the shard."""

from __future__ import annotations

import json
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import plan

from pytest_vft.catalogue.cases import data_url
from pytest_vft.checking.lint import lint_files
from pytest_vft.checking.processes import processes, usable_cpus
from pytest_vft.checking.shard import ShardLinter
from pytest_vft.checking.software import describe_software
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.errors import LintError
from pytest_vft.model import Source
from pytest_vft.reading.remote import ReadProgress, Remote
from pytest_vft.reading.shards import Shard
from pytest_vft.runs.lint import lint

PLAN = plan(max_findings=2)
GONE = Remote(reachable=False, cause="404 Not Found")


def example(*urls: str, question: str = "What is this?", answer: str = "A dog.") -> bytes:
    content: list[Any] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    messages = [
        {"role": "user", "content": [*content, {"type": "text", "text": question}]},
        {"role": "assistant", "content": answer},
    ]
    return json.dumps({"messages": messages}).encode()


LINES = [
    example(data_url("png 16x16 rgb")),
    example(data_url("jpeg 16x16 l"), data_url("png 16x16 p")),
    example("https://example.com/1.jpg"),
    example("https://example.com/2.jpg", data_url("jpeg 64x64 rgb cut=200")),
    example("data:image/png;base64,!!!!", answer="No."),
    b'{"messages": []',
    b"",
]
files_of_lines = st.lists(st.lists(st.sampled_from(LINES), max_size=8), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("executors")


def write(folder: Path, files: list[list[bytes]]) -> list[Source]:
    sources = []
    for number, lines in enumerate(files):
        path = folder / f"{number}.jsonl"
        path.write_bytes(b"".join(line + b"\n" for line in [LINES[0], *lines]))
        sources.append(Source(str(path), "train" if number % 2 else "validation"))
    return sources


def fetch(urls: Iterable[str]) -> Mapping[str, Remote]:
    return dict.fromkeys(urls, GONE)


class AnyOrder(Executor):
    """Does what it was given when the first result is asked for, in an order of its own."""

    def __init__(self, seed: int) -> None:
        self._tasks: list[tuple[Future[Any], Callable[[], Any]]] = []
        self._random = random.Random(seed)  # noqa: S311 - an order, no secret

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = _Lazy(self)
        self._tasks.append((future, lambda: fn(*args, **kwargs)))
        return future

    def work(self) -> None:
        self._random.shuffle(self._tasks)
        while self._tasks:
            future, task = self._tasks.pop()
            future.set_result(task())


class _Lazy(Future[Any]):
    def __init__(self, executor: AnyOrder) -> None:
        super().__init__()
        self._executor = executor

    def result(self, timeout: float | None = None) -> Any:
        self._executor.work()
        return super().result(timeout)


@given(files=files_of_lines, shard_bytes=st.integers(1, 3000), seed=st.integers(0, 9), online=st.booleans())
@settings(deadline=None, max_examples=60)
def test_any_order_of_completion_gives_the_same(
    folder: Path, files: list[list[bytes]], shard_bytes: int, seed: int, *, online: bool
) -> None:
    sources = write(folder, files)
    ask = fetch if online else None

    there = lint_files(sources, PLAN, workers=lambda _: AnyOrder(seed), fetch=ask, shard_bytes=shard_bytes)

    assert there == lint_files(sources, PLAN, fetch=ask)


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("kind", ["threads", "spawned"])
def test_pools_give_the_same(folder: Path, kind: str, jobs: int) -> None:
    sources = write(folder, [LINES * 5, LINES * 2])
    pool: Executor = ThreadPoolExecutor(jobs)
    if kind == "spawned":
        pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))

    with pool:
        there = lint_files(sources, PLAN, workers=lambda _: pool, fetch=fetch, shard_bytes=1000)

    assert there == lint_files(sources, PLAN, fetch=fetch)


def test_threads_leave_warnings_as_they_were(folder: Path) -> None:
    sources = write(folder, [LINES * 20])
    before = list(warnings.filters)

    with ThreadPoolExecutor(4) as pool:
        lint_files(sources, PLAN, workers=lambda _: pool, shard_bytes=200)

    assert warnings.filters == before


def test_executor_of_the_user_lints(folder: Path) -> None:
    (source,) = write(folder, [LINES])

    with ThreadPoolExecutor(2) as pool:
        report = lint(source.path, executor=pool)

    assert report == lint(source.path)
    assert not report.ok


def test_file_that_goes_away_in_between_is_a_finding(tmp_path: Path) -> None:
    sources = write(tmp_path, [LINES, LINES])

    def take_away(_: ReadProgress) -> None:
        Path(sources[0].path).unlink(missing_ok=True)  # the validation split, which is read last

    linted = lint_files(sources, PLAN, watch=take_away, shard_bytes=100)

    gone, there = linted.files
    assert gone.stopped_by == "file/unreadable"
    assert gone.lines == 0
    assert there.lines == len(LINES) + 1


# URLs


def collected(path: Path) -> list[list[str]]:
    asked = []

    def remember(urls: Iterable[str]) -> Mapping[str, Remote]:
        asked.append(list(urls))
        return {}

    lint_files([Source(str(path))], PLAN, fetch=remember)
    return asked


def test_without_web_addresses_nobody_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    lines = [
        example(data_url("png 16x16 rgb")),
        example("ftp://example.com/4.jpg"),
        b'{"messages": [{"role": "user", "content": "https://example.com/text.jpg"}]}',
        b'{"messages": "https://example.com/broken.jpg"',
        b'["https://example.com/list.jpg"]',
    ]
    path.write_bytes(b"\n".join(lines))

    assert not collected(path)
    assert not collected(tmp_path / "gone.jsonl")


def test_each_web_address_is_asked_for_once_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    lines = [
        example("HTTP://example.com/2.jpg"),
        example("https://example.com/1.jpg"),
        example("https://example.com/3.jpg").replace(b"/", rb"\/"),
        example(data_url("png 16x16 rgb"), "https://example.com/5.jpg", "https://example.com/1.jpg"),
    ]
    path.write_bytes(b"\n".join(lines))

    assert collected(path) == [
        [
            "HTTP://example.com/2.jpg",
            "https://example.com/1.jpg",
            "https://example.com/3.jpg",
            "https://example.com/5.jpg",
        ]
    ]


# How far it is


def test_bytes_are_told_as_they_are_done(folder: Path) -> None:
    (source,) = write(folder, [LINES * 3])
    seen: list[ReadProgress] = []

    lint_files([source], PLAN, shard_bytes=500, watch=seen.append)

    size = Path(source.path).stat().st_size
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert {read.total for read in seen} == {size}
    assert seen[-1].done == size


# Processes


def test_at_least_one_cpu_is_usable() -> None:
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)


def test_small_files_need_no_processes() -> None:
    with processes(8, 1_000_000) as executor:
        assert executor is None


def test_one_job_needs_no_processes() -> None:
    with processes(1, 10**12) as executor:
        assert executor is None


def test_large_files_are_linted_by_processes() -> None:
    with processes(2, 10**12) as executor:
        assert executor is not None
        assert executor.submit(os.getpid).result() != os.getpid()


def test_dead_worker_is_an_error_that_names_the_place(folder: Path) -> None:
    (source,) = write(folder, [LINES])

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(os._exit, 1).exception()
        with pytest.raises(LintError, match=r"0\.jsonl: bytes 0 to .* worker process was killed"):
            lint_files([source], PLAN, workers=lambda _: pool)


linux = pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc")

# `vft check` with a lint of our making, that forked workers inherit.
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from pytest_vft.checking import processes, shard
from pytest_vft.cli import main

def lint(self, shard):
    Path(f"worker-{{os.getpid()}}").touch()
    {what}

processes._LEAST_FORKED, processes.SHARD_BYTES = 0, 1
shard.ShardLinter.lint = lint
sys.exit(main(["check", "--jobs=2", "--offline", "train.jsonl"]))
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[[str], subprocess.Popen[str]]:
    """Return what starts a check whose workers do *what*."""

    def run(what: str) -> subprocess.Popen[str]:
        (tmp_path / "train.jsonl").write_bytes(LINES[0] + b"\n")
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(what=what)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return run


def worker_of(folder: Path) -> int:
    """Wait until a worker is at work, and return its number."""
    for _ in range(600):
        if found := list(folder.glob("worker-*")):
            return int(found[0].name.removeprefix("worker-"))
        time.sleep(0.05)
    pytest.fail("no worker has begun")


def has_ended(process: int) -> bool:
    for _ in range(200):
        try:
            status = Path(f"/proc/{process}/stat").read_text(encoding="ascii")
        except OSError:
            return True
        if status.rpartition(")")[2].split()[0] == "Z":  # ended, and nobody has asked yet
            return True
        time.sleep(0.05)
    return False


@linux
def test_worker_that_is_killed_ends_the_command(start: Callable[[str], subprocess.Popen[str]]) -> None:
    with start("os.kill(os.getpid(), signal.SIGKILL)") as command:
        out, err = command.communicate(timeout=60)

    assert command.returncode == 2
    assert not out
    assert err.startswith("vft: train.jsonl: bytes 0 to ")
    assert err.endswith("--jobs=1 uses the least memory\n")


@linux
def test_worker_that_is_killed_while_it_sends_its_result_ends_the_command(
    start: Callable[[str], subprocess.Popen[str]],
) -> None:
    """The result is longer than a pipe holds, and the command, which is stopped, does not read it."""
    timer = "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()"
    stop = "os.kill(os.getppid(), signal.SIGSTOP)"
    with start(f"import threading; {stop}; {timer}; return bytes(10_000_000)") as command:
        _, status = os.waitpid(command.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        time.sleep(0.6)
        command.send_signal(signal.SIGCONT)
        _, err = command.communicate(timeout=60)

    assert command.returncode == 2
    assert err.startswith("vft: train.jsonl: bytes 0 to ")
    assert "a worker process was killed" in err


def test_worker_answers_after_what_it_raises_or_cannot_send() -> None:
    with processes(2, 10**12) as executor:
        assert executor is not None
        assert isinstance(executor.submit(int, "x").exception(), ValueError)
        assert "pickle" in str(executor.submit(threading.Lock).exception())
        # Python 3.13 and 3.14 say it in other words than before.
        assert "<lambda>" in str(executor.submit(lambda: 1).exception())
        assert [executor.submit(abs, -number).result() for number in range(4)] == [0, 1, 2, 3]


def test_cancelled_tasks_are_not_run() -> None:
    with processes(2, 10**12) as executor:
        assert executor is not None
        futures = [executor.submit(time.sleep, 0.1) for _ in range(2)]
        futures += [executor.submit(time.sleep, 60) for _ in range(4)]
        assert all(future.cancel() for future in futures[2:])


@linux
def test_ctrl_c_ends_command_and_workers_at_once(
    start: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    with start("time.sleep(60)") as command:
        worker = worker_of(tmp_path)
        os.killpg(command.pid, signal.SIGINT)
        out, err = command.communicate(timeout=30)

    assert command.returncode == 130
    assert (out, err) == ("", "vft: interrupted\n")
    assert has_ended(worker)


@linux
def test_workers_end_with_a_parent_that_is_killed(
    start: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    with start("time.sleep(60)") as command:
        worker = worker_of(tmp_path)
        command.kill()
        command.wait(timeout=30)

        assert has_ended(worker)


class Failing(Executor):
    """Raises *error* from submit() or from the result of a shard."""

    def __init__(self, error: BaseException, *, at_once: bool = False) -> None:
        self._error = error
        self._at_once = at_once

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        del fn, args, kwargs
        if self._at_once:
            raise self._error
        future: Future[Any] = Future()
        future.set_exception(self._error)
        return future


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CancelledError(), "the executor failed: CancelledError"),
        (RuntimeError("no worker\x1b[2J"), r"the executor failed: RuntimeError: no worker\\x1b\[2J"),
        (SystemExit(5), "the executor failed: SystemExit: 5"),
        (BrokenExecutor("gone"), "a worker process was killed, out of memory or unable to start"),
    ],
)
def test_any_failure_of_an_executor_names_the_shard(
    folder: Path, error: BaseException, words: str, *, at_once: bool
) -> None:
    (source,) = write(folder, [LINES])

    with pytest.raises(LintError, match=f"{re.escape(source.path)}: bytes 0 to .*{words}"):
        lint_files([source], PLAN, workers=lambda _: Failing(error, at_once=at_once))


def test_result_of_another_type_names_the_shard(folder: Path) -> None:
    (source,) = write(folder, [LINES])

    with pytest.raises(LintError, match=r"bytes 0 to .*: its result is of type int"):
        lint_files([source], PLAN, workers=lambda _: Answering(42))


class Answering(Executor):
    """Gives the same result for all that is submitted."""

    def __init__(self, result: object) -> None:
        self._result = result

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        del fn, args, kwargs
        future: Future[Any] = Future()
        future.set_result(self._result)
        return future


class Counting(Executor):
    """Counts the shards that were submitted and not asked for yet."""

    def __init__(self) -> None:
        self.in_flight = self.most = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        return _Counted(self, lambda: fn(*args, **kwargs))


class _Counted(Future[Any]):
    def __init__(self, executor: Counting, task: Callable[[], Any]) -> None:
        super().__init__()
        self._executor = executor
        self._task = task

    def result(self, timeout: float | None = None) -> Any:
        del timeout
        self._executor.in_flight -= 1
        return self._task()


@pytest.mark.parametrize(("workers", "window"), [(0, 32), (2, 32), (20, 80)])
def test_a_window_of_shards_is_in_flight(folder: Path, workers: int, window: int) -> None:
    (source,) = write(folder, [LINES * 60])
    executor = Counting()
    executor._max_workers = workers  # type: ignore[attr-defined]  # noqa: SLF001 - as the pools of Python have it

    there = lint_files([source], PLAN, workers=lambda _: executor, shard_bytes=300)

    assert executor.most == window
    assert there == lint_files([source], PLAN)


def test_plan_is_the_same_size_for_any_number_of_files_and_urls(tmp_path: Path) -> None:
    """It goes with every shard; what belongs to one file goes with the shards of this file."""
    sizes = set()
    for number in (2, 50):  # files of two splits, between which images are compared
        plans: list[bytes] = []

        class Noting(ThreadPoolExecutor):
            def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
                plans.append(args[1])  # noqa: B023 - read in the same turn
                return super().submit(fn, *args, **kwargs)

        lines = [example(f"https://example.com/{n}.jpg") for n in range(number)]
        sources = write(tmp_path, [lines] * number)
        ignored = {source.path: frozenset({"image/too-small"}) for source in sources}
        with Noting(1) as pool:
            lint_files(sources, PLAN, ignored=ignored, workers=lambda _: pool, fetch=fetch)
        sizes |= {len(plan) for plan in plans}
    assert len(sizes) == 1


class Elsewhere(ThreadPoolExecutor):
    """Its workers have the files under other names."""

    def submit(self, fn: Any, /, software: bytes, plan: bytes, shards: bytes) -> Any:  # type: ignore[override]
        work = [
            one._replace(shard=one.shard._replace(path=f"{one.shard.path}.moved"))
            for one in pickle.loads(shards)  # noqa: S301 - as a worker does
        ]
        return super().submit(fn, software, plan, pickle.dumps(work))


def test_a_file_that_only_the_worker_cannot_read_is_an_error_and_no_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = write(tmp_path, [LINES])
    moved = Source(Path(source.path).name)
    monkeypatch.chdir(tmp_path)
    message = f"{moved.path}: bytes 0 to .*the worker on .* cannot read the file: No such"
    with Elsewhere(1) as pool, pytest.raises(LintError, match=message):
        lint_files([moved], PLAN, workers=lambda _: pool)


@pytest.mark.parametrize("lines", [2, 20, 0])
def test_a_worker_with_another_file_at_the_same_path_is_an_error(tmp_path: Path, lines: int) -> None:
    (source,) = write(tmp_path, [[LINES[0]] * 9])
    whole, copy = Path(source.path), Path(f"{source.path}.moved")
    copy.write_bytes(whole.read_bytes())
    with Elsewhere(1) as pool:
        same = lint_files([source], PLAN, workers=lambda _: pool, shard_bytes=300)
        assert same.files[0].lines == 10

        copy.write_bytes((LINES[0] + b"\n") * lines)
        message = rf"0.jsonl: has {copy.stat().st_size:,} bytes for the worker on .*, and [0-9,]+ here;"
        with pytest.raises(LintError, match=message):
            lint_files([source], PLAN, workers=lambda _: pool, shard_bytes=300)


def _write(path: Path, size: int) -> None:
    """Write a file of *size* lines in place of the one at *path*, as most programs do."""
    new = path.with_name("new")
    new.write_bytes((LINES[0] + b"\n") * size)
    os.utime(new, ns=(1, 1))
    new.replace(path)


def _append(path: Path, size: int) -> None:
    with path.open("ab") as file:
        file.write((LINES[0] + b"\n") * (size - 10))


@pytest.mark.parametrize(
    ("change", "size", "is_error"),
    [
        (lambda *_: None, 10, False),
        (_append, 20, False),  # is checked as it was
        (lambda path, _: path.unlink(), 10, False),
        (_write, 10, True),
        (_write, 20, True),
        (_write, 5, True),
        (os.truncate, 100, True),
    ],
)
def test_a_file_that_changes_meanwhile_is_an_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path, int], None],
    size: int,
    *,
    is_error: bool,
) -> None:
    monkeypatch.setattr("pytest_vft.checking.merging.SHARD_BYTES", 100)
    (source,) = write(tmp_path, [[LINES[0]] * 9])
    path = Path(source.path)

    def watch(read: ReadProgress) -> None:
        if read.done == read.total:
            change(path, size)

    found = lint_files([source], PLAN, watch=watch, shard_bytes=300)

    assert found.tallies["file/unreadable"].failed == is_error
    assert (found.files[0].lines, found.files[0].examples) == ((0, 0) if is_error else (10, 10))


def test_a_file_that_grows_is_checked_as_it_was(tmp_path: Path) -> None:
    """As in one process: it is no other file for the workers."""
    (source,) = write(tmp_path, [[LINES[0]] * 9])

    class Growing(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            with Path(source.path).open("ab") as file:
                file.write(LINES[0] + b"\n")
            return super().submit(fn, *args, **kwargs)

    with Growing(1) as pool:
        assert lint_files([source], PLAN, workers=lambda _: pool).files[0].lines == 10


@linux
def test_workers_in_another_folder_read_what_relative_paths_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link is followed before "..", as the system does it."""
    write(folder, [LINES * 5, LINES * 2])
    (folder / "inner").mkdir()
    (tmp_path / "link").symlink_to(folder / "inner")
    sources = [Source(f"link/../{number}.jsonl") for number in range(2)]
    monkeypatch.chdir("/")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(os.getcwd).result() == "/"
        monkeypatch.chdir(tmp_path)

        there = lint_files(sources, PLAN, workers=lambda _: pool, shard_bytes=1000)

    assert there == lint_files(sources, PLAN)
    assert all(file.lines for file in there.files)


def test_small_shards_share_a_task(tmp_path: Path) -> None:
    sources = write(tmp_path, [LINES] * 200)
    submitted: list[list[Shard]] = []

    class Noting(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            submitted.append(pickle.loads(args[2]))  # noqa: S301 - as a worker does
            return super().submit(fn, *args, **kwargs)

    with Noting(2) as pool:
        there = lint_files(sources, PLAN, workers=lambda _: pool)

    assert list(map(len, submitted)) == [64, 64, 64, 8]
    assert there == lint_files(sources, PLAN)


class Changed(ThreadPoolExecutor):
    """Changes an argument of what it runs."""

    def __init__(self, position: int, value: bytes) -> None:
        super().__init__(1)
        self._position, self._value = position, value

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        return super().submit(fn, *args[: self._position], self._value, *args[self._position + 1 :], **kwargs)


def test_worker_with_other_software_is_an_error_that_names_both(folder: Path) -> None:
    (source,) = write(folder, [LINES])
    ours = re.escape(describe_software())

    message = f"the worker on .* has other software.*: {ours}; here: {ours}"
    with Changed(0, b"other") as pool, pytest.raises(LintError, match=message):
        lint_files([source], PLAN, workers=lambda _: pool)


def test_worker_without_a_folder_of_images_is_an_error(folder: Path, tmp_path: Path) -> None:
    (source,) = write(folder, [LINES])
    there = replace(PLAN, image_roots=(str(tmp_path / "gone"),))

    message = "the worker on .* does not have the folder .*gone; workers must have local images"
    with Changed(1, pickle.dumps(there)) as pool, pytest.raises(LintError, match=message):
        lint_files([source], PLAN, workers=lambda _: pool)


@pytest.mark.parametrize("files", [1, 3])
def test_failure_within_a_task_names_its_own_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    sources = write(tmp_path, [LINES] * files)
    last = sorted(sources, key=lambda source: source.split)[files - 1]
    real = ShardLinter.lint

    def lint(self: ShardLinter, shard: Shard) -> ShardTotals:
        if shard.path == last.path:
            raise KeyError("a fault of ours")
        return real(self, shard)

    monkeypatch.setattr(ShardLinter, "lint", lint)

    message = f"{re.escape(last.path)}: bytes 0 to [0-9,]+: the executor failed: KeyError: 'a fault"
    with ThreadPoolExecutor(1) as pool, pytest.raises(LintError, match=message):
        lint_files(sources, PLAN, workers=lambda _: pool)


def test_task_without_a_result_names_its_first_shard_and_counts_the_others(tmp_path: Path) -> None:
    sources = write(tmp_path, [LINES] * 3)

    message = r"bytes 0 to [0-9,]+, or one of the next 2 shards: the executor failed: CancelledError"
    with pytest.raises(LintError, match=message):
        lint_files(sources, PLAN, workers=lambda _: Failing(CancelledError()))
