"""A run that was killed goes on: finished shards are in the cache as soon as they are finished."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pytest_vft import lint
from pytest_vft.checking.shard import ShardLinter

FILES = ("a.jsonl", "b.jsonl.gz", "c.jsonl", "d.jsonl")
# Lints as the command does, and waits in the middle of the third file.
RUN = """
import time
from pytest_vft.checking import memory, shard
from pytest_vft.cli import main
memory._UNWRITTEN = 0
walk, done = shard.ShardLinter._walk, []
def wait(*arguments):
    done.append(1)
    if len(done) == 3:
        print("waiting", flush=True)
        time.sleep(60)
    return walk(*arguments)
shard.ShardLinter._walk = wait
raise SystemExit(main(["check", *FILES, "--jobs=1", "--ignore=file/compressed", "--depth=full"]))
""".replace("*FILES", repr(FILES)[1:-1])


def rows() -> int:
    with closing(sqlite3.connect(".vft_cache/shards.sqlite")) as connection:
        number: int = connection.execute("SELECT count(*) FROM shards").fetchone()[0]
        return number


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_killed_goes_on(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text("[tool.vft]\n")
    for name in FILES:
        with (gzip.open if name.endswith(".gz") else open)(name, "wb") as file:
            for _ in range(12):
                user, answer = f"What is {name}?", os.urandom(60_000 if ".gz" not in name else 130_000).hex()
                messages = [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]
                file.write(json.dumps({"messages": messages}).encode() + b"\n")
    with subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        assert run.stdout.readline() == "waiting\n"
        run.send_signal(number)
        assert run.wait(30) == (130 if number == signal.SIGINT else -number)
    assert rows() == 2
    linted = []
    walk = ShardLinter._walk  # noqa: SLF001 - which shards are linted again

    def spy(linter: ShardLinter, shard: object, *rest: object) -> object:
        linted.append(shard.path)  # type: ignore[attr-defined]
        return walk(linter, shard, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(ShardLinter, "_walk", spy)
    report = lint(*FILES, depth="full", ignore=["file/compressed"])
    assert linted == ["c.jsonl", "d.jsonl"]
    assert rows() == 4
    assert report.findings == lint(*FILES, depth="full", ignore=["file/compressed"], cache=False).findings
