"""Dask distributed (extra "dask") as an executor: its scheduler hands tasks to workers on other machines.

Scheduling, retries after the death of a worker and the transport are Dask's. Here are only addresses, and
words for what goes wrong.
"""

from __future__ import annotations

import logging
import pickle
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future, wait
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from pytest_vft.checking.executors import ExecutorError
from pytest_vft.errors import LintError, UsageError
from pytest_vft.reading.waiting import started
from pytest_vft.text import Safe, count, safe

if TYPE_CHECKING:
    import distributed

INSTALL = 'pip install "pytest-vft[dask]"'
_VARIABLE = "DASK_SCHEDULER_ADDRESS"
_TLS = "DASK_DISTRIBUTED__COMM__TLS__"
# Scheme, host (a name, an IPv4 address or an IPv6 address in brackets) and port.
_ADDRESS = re.compile(r"(dask|tcp|tls)://([\w.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?", re.ASCII)
_PORT = 8786  # of a scheduler by default (https://docs.dask.org/en/stable/deploying-cli.html)
# Seconds without any worker, since a cluster that grows with its tasks starts machines first, or without an
# answer of the scheduler, which may be busy or short of memory.
_PATIENCE = 300.0
_FIRST_WORD = 15.0  # seconds of that after which is told what is waited for
_ANSWER = 5.0  # seconds for an answer of a scheduler; for the first one, after the time to connect
_CLOSING = 1.0  # seconds to say goodbye
_COUNTED = 5.0  # seconds for which the number of workers is believed


def scheduler_address(name: str, environ: Mapping[str, str]) -> str:
    """Return the address of the scheduler *name* as Dask writes it: tcp://HOST:PORT or tls://HOST:PORT.

    *name* is "dask", which stands for DASK_SCHEDULER_ADDRESS in *environ*, or dask://HOST:PORT. Raises
    UsageError for another name, which is not shown if it may hold a password, and without Dask.
    """
    what, text = "cluster", name
    if name == "dask":
        what, text = _VARIABLE, environ.get(_VARIABLE, "")
        if not text:
            raise UsageError(f"cluster is dask, and {_VARIABLE} is not set; set it, or give dask://HOST:PORT")
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found[3] or _PORT) < 1 << 16:
        shown = "an address with a user name" if "@" in text else f'"{safe(text)}"'
        raise UsageError(f"{what} is {shown}; expected dask://HOST:PORT, tls://HOST:PORT or dask")
    if find_spec("distributed") is None:
        raise UsageError(Safe(f"a cluster needs Dask distributed: {INSTALL}"))
    return f"{'tls' if found[1] == 'tls' else 'tcp'}://{found[2]}:{found[3] or _PORT}"


class ClusterWait(NamedTuple):
    """The cluster at *address* has done nothing for some *seconds*, and is given up after *patience* seconds.

    Its scheduler does not answer, or *answers*, and there are no workers.
    """

    address: str
    answers: bool
    seconds: float
    patience: float


Tell = Callable[[ClusterWait], None]


@contextmanager
def open_cluster(
    name: str, environ: Mapping[str, str], tell: Tell | None = None
) -> Iterator[ClusterExecutor]:
    """Yield the executor of the cluster *name*, as in scheduler_address(); on exit its tasks are forgotten.

    *tell* is called once while the cluster does nothing. Raises UsageError as
    scheduler_address() does, and LintError if the scheduler does not answer.
    """
    address = scheduler_address(name, environ)
    with _silent():
        try:
            client = _connected(address)
        except TypeError as error:  # Dask has no certificates for tls://
            if not address.startswith("tls:"):
                raise
            raise UsageError(
                f"{address} needs certificates: set {_TLS}CA_FILE, {_TLS}CLIENT__CERT and {_TLS}CLIENT__KEY"
            ) from error
        except (OSError, ValueError) as error:
            raise LintError(f"{address}: no answer from a scheduler: {error}") from error
        try:
            yield ClusterExecutor(client, address, tell)
        finally:
            with suppress(TimeoutError):  # of a scheduler that hangs
                client.close(timeout=_CLOSING)


def _connected(address: str) -> distributed.Client:
    """Return a client of the scheduler at *address*. Raises OSError if none answers, and what Dask raises."""
    from dask import config  # noqa: PLC0415 - for clusters only
    from dask.utils import parse_timedelta  # noqa: PLC0415 - as above
    from distributed import Client  # noqa: PLC0415 - as above

    patience = parse_timedelta(config.get("distributed.comm.timeouts.connect")) + _ANSWER
    # Dask waits for ever for the first words of a server (distributed 2026.8.0).
    opening = started(lambda: Client(address, set_as_default=False, name="pytest-vft"))
    if not wait([opening], patience).done:
        raise TimeoutError(
            f"a server is there, and said nothing for {patience:.0f} s; "
            "if it is a scheduler of Dask, see its log and start it again"
        )
    return opening.result()


@contextmanager
def _silent() -> Iterator[None]:
    """Silence the log of Dask, which has tracebacks on stderr of what is raised as well."""
    import distributed  # noqa: F401, PLC0415 - 0.5 s, for clusters only; it sets the levels of its loggers

    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class ClusterExecutor(Executor):
    """The workers of a Dask *client*; *tasks* is the number of tasks that were submitted."""

    is_remote = True

    def __init__(self, client: distributed.Client, address: str, tell: Tell | None) -> None:
        self.address = address
        self.tasks = 0
        self._tell = tell
        self._told = False  # since there were workers
        self._client = client
        self._name = f"vft-{uuid4().hex}"  # how the keys of the tasks start
        self._threads = 0
        self._counted = float("-inf")
        self._question: Future[Mapping[str, int]] | None = None  # what the scheduler has not answered yet

    @property
    def _max_workers(self) -> int:
        """The number of threads of all workers, which may come and go."""
        if time.monotonic() - self._counted > _COUNTED:
            self.count_threads()
        return self._threads

    def count_threads(self) -> int | None:
        """Return the number of threads of all workers, None if the scheduler does not answer in time."""
        self._question = self._question or started(self._client.nthreads)
        answered = wait([self._question], _ANSWER).done
        self._counted = time.monotonic()
        if not answered:
            return None
        question, self._question = self._question, None
        try:
            self._threads = sum(question.result().values())
        except Exception:  # noqa: BLE001 - the result of a task tells of a connection that is lost
            return None
        return self._threads

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return the future of fn(*args, **kwargs), of which only result() and cancel() work."""
        self.tasks += 1
        call = pickle.dumps(_Call(fn, args, kwargs))
        # A new key: Dask would answer the same call, about a file that has changed, with an old result.
        return _ClusterFuture(self, self._client.submit(pickle.loads, call, key=f"{self._name}-{self.tasks}"))

    def check_alive(self, before: float) -> float:
        """Return when there were workers: now or *before*, in the seconds of time.monotonic().

        Raises ExecutorError if that is too long ago.
        """
        now, threads = time.monotonic(), self.count_threads()
        if threads:
            self._told = False
            return now
        if now - before > _PATIENCE:
            raise ExecutorError(_given_up(threads, self.address))
        if self._tell and now - before > _FIRST_WORD and not self._told:
            self._told = True
            self._tell(ClusterWait(self.address, threads is not None, now - before, _PATIENCE))
        return before

    def count_repeated(self) -> int:
        """Return how many tasks were handed out again because their worker was lost."""
        asked = started(lambda: self._client.get_events("all"))
        try:
            events = asked.result(_ANSWER)
        except Exception:  # noqa: BLE001 - the results have come, so a cluster that is gone now is no error
            return 0
        lost = [event for _, event in events if event.get("action") == "remove-worker"]
        return sum(key.startswith(self._name) for event in lost for key in event["processing-tasks"])


class _Call(NamedTuple):
    """A call that takes place when it is unpickled.

    So it is unpickled by the task. A worker that unpickles a function of a module that it does not have
    loses its connection, and with it the task, without an error (distributed 2026.8.0).
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(self.function, **self.options), self.arguments


class _ClusterFuture(Future[Any]):
    """The future of a task on a cluster."""

    def __init__(self, cluster: ClusterExecutor, task: distributed.Future[Any]) -> None:
        super().__init__()
        self._cluster = cluster
        self._task = task

    def result(self, timeout: float | None = None) -> Any:  # noqa: ARG002 - the caller has no other work
        """Return the result of the task. Raises ExecutorError if it has none, and what the task raised."""
        from distributed import KilledWorker  # noqa: PLC0415 - as above

        alive = time.monotonic()
        while True:
            try:
                return self._task.result(_COUNTED)
            except TimeoutError as error:
                if self._task.status == "error":  # it is that of a worker
                    raise ExecutorError(_failed(error)) from error
                alive = self._cluster.check_alive(alive)
            except KilledWorker as error:
                lost = count(error.allowed_failures + 1, "worker")
                raise ExecutorError(
                    f"{lost} died at this task, out of memory or killed: see their logs, and give "
                    "workers more memory (--memory-limit) or fewer threads (--nthreads 1)"
                ) from error
            except ModuleNotFoundError as error:
                if (error.name or "").partition(".")[0] != "pytest_vft":
                    raise
                raise ExecutorError(
                    "a worker does not have this version of pytest-vft: install it"
                ) from error
            except OSError as error:
                is_own = self._task.status == "error"  # else of the connection
                raise ExecutorError(_failed(error) if is_own else _lost(self._cluster.address)) from error
            except CancelledError as error:
                raise ExecutorError(_cancelled(error, self._cluster.address)) from error

    def cancel(self) -> bool:
        """Let the cluster forget the task, without waiting for an answer."""
        self._task.release()
        return True


def _given_up(threads: int | None, address: str) -> str:
    """Return in words what was waited for in vain; *threads* as from count_threads()."""
    if threads is None:
        return (
            f"the scheduler at {address} has not answered for {_PATIENCE:.0f} seconds; "
            "see its log, start it again and run again"
        )
    return (
        f"the cluster at {address} has had no workers for {_PATIENCE:.0f} seconds; "
        f"start some with: dask worker {address} --nthreads 1"
    )


def _failed(error: OSError) -> str:
    """Return in words that a worker failed with *error* before it read a shard."""
    words = str(error) or type(error).__name__
    return f"a worker failed: {words}; see its log, or install the same software and start the workers again"


def _cancelled(error: CancelledError, address: str) -> str:
    """Return in words why a task was cancelled."""
    reason = getattr(error, "reason", None)
    if reason == "scheduler-connection-lost":
        return _lost(address)
    return f"the cluster at {address} has cancelled the task ({reason or 'without a reason'}); run it again"


def _lost(address: str) -> str:
    return f"the connection to the scheduler at {address} is lost; start it and run again"
