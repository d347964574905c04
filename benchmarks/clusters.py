"""Measure the local pool and a Dask cluster on the same file: CPU, first result, memory, same report.

    python benchmarks/clusters.py FILE [RUNS]

Two processes lint FILE at full depth without a cache, then two workers of a cluster on this machine; both do
so again with FILE in object storage, which a server on this machine reads from disk. CPU is that of all
processes but this server, from their start to their end, the start of the cluster not included. The lowest
figure of RUNS runs (default: 2) counts. With "-" for FILE, 20,000 files with one example each are linted
instead, only from disk.
Needs the extras "dask" and "cloud".
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from object_storage import URL

SMALL_FILES = 20_000
_TICKS = os.sysconf("SC_CLK_TCK")
# What a measured process does: lint what is named, and print what it found out.
DRIVER = """
import hashlib, json, resource, sys, time
from pytest_vft.checking.processes import cluster
from pytest_vft.runs.groups import find_groups
from pytest_vft.runs.lint import run_groups

first, started = [], time.monotonic()
def watch(_):
    first or first.append(time.monotonic() - started)

name, *paths = sys.argv[1:]
options = {"depth": "full", "offline": True, "no_cache": True, "jobs": 2, "max_findings": 0}
groups = find_groups(options, paths)
with cluster(name or None) as executor:
    report = run_groups(groups, watch=watch, executor=executor)
usage = resource.getrusage(resource.RUSAGE_SELF)
children = resource.getrusage(resource.RUSAGE_CHILDREN)
text = repr(report)
for path in paths:
    text = text.replace(path, "FILE")
print(json.dumps({
    "cpu": sum((usage.ru_utime, usage.ru_stime, children.ru_utime, children.ru_stime)),
    "first": first[0],
    "driver": usage.ru_maxrss // 1024,
    "report": hashlib.sha256(text.encode()).hexdigest(),
}))
"""


def main(file: str, runs: int) -> None:
    """Print a row for each way to lint."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if file == "-":
            places = {"": write_small(folder)}
        else:
            local = Path(file).resolve()
            os.environ |= stack.enter_context(served(local.parent))
            places = {"": str(local), "object storage, ": URL.format(local.name)}
        rows = {
            f"{place}local pool": [measured("", path) for _ in range(runs)] for place, path in places.items()
        }
        address, processes = stack.enter_context(cluster(folder))
        for place, path in places.items():
            rows[f"{place}Dask"] = there = []
            for _ in range(runs):
                before = sum(map(cpu, processes))
                found = measured(address, path)
                there.append(found | {"cpu": found["cpu"] + sum(map(cpu, processes)) - before})
        scheduler = peak(processes[0])
    best = {name: min(figures, key=lambda row: row["cpu"]) for name, figures in rows.items()}
    pool = best["local pool"]
    print("| | CPU | beside the pool | first result | driver | scheduler | report |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, row in best.items():
        memory = f"{scheduler} MB" if name.endswith("Dask") else "-"
        same = "same" if row["report"] == pool["report"] else "another"
        print(
            f"| {name} | {row['cpu']:.1f} s | {row['cpu'] / pool['cpu']:.2f} | {row['first']:.1f} s "
            f"| {row['driver']} MB | {memory} | {same} |"
        )


@contextmanager
def served(folder: Path) -> Iterator[dict[str, str]]:
    """Serve *folder* as a bucket, and yield the environment in which it is found."""
    command = [sys.executable, str(Path(__file__).with_name("object_storage.py")), "--serve", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        yield {"AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true", "AWS_SKIP_SIGNATURE": "true"}
        server.terminate()


def measured(cluster_name: str, path: str) -> dict[str, Any]:
    """Return what a process that lints *path* prints."""
    command = [sys.executable, "-c", DRIVER, cluster_name, path]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def write_small(folder: Path) -> str:
    """Write files of one example each and return their folder."""
    small = folder / "small"
    small.mkdir()
    for number in range(SMALL_FILES):
        digits = sha256(str(number).encode()).hexdigest()
        messages = [
            {"role": "user", "content": f"What is {number}?"},
            {"role": "assistant", "content": digits},
        ]
        (small / f"{number:05}.jsonl").write_text(json.dumps({"messages": messages}) + "\n", encoding="utf-8")
    return str(small)


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Start a scheduler and two workers; yield the name of the cluster and the numbers of the processes."""
    dask, where = Path(sys.executable).with_name("dask"), folder / "scheduler.json"
    host = ("--host", "127.0.0.1")
    commands = [
        ["scheduler", *host, "--port=0", "--dashboard-address=127.0.0.1:0", f"--scheduler-file={where}"],
        *(["worker", f"--scheduler-file={where}", "--nthreads=1", "--no-nanny", "--no-dashboard", *host],)
        * 2,
    ]
    runs = []
    environ = {**os.environ, "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false"}
    try:
        for command in commands:
            runs.append(
                subprocess.Popen([dask, *command], cwd=folder, env=environ, stderr=subprocess.DEVNULL)
            )
            while not where.exists():
                time.sleep(0.1)
        time.sleep(5)
        address = json.loads(where.read_text(encoding="utf-8"))["address"]
        yield address.replace("tcp", "dask"), [run.pid for run in runs]
    finally:
        for run in reversed(runs):
            run.terminate()
            run.wait(timeout=30)


def cpu(process: int) -> float:
    """Return the CPU seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak(process: int) -> int:
    """Return the peak of memory of a process in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2)
