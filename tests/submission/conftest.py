from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image
from pydantic import ConfigDict, TypeAdapter, with_config

from pytest_vft import build_example, write_jsonl
from pytest_vft.client import Credentials, make_client
from pytest_vft.model import Source
from pytest_vft.submission.plan import JobRequest, JobSettings, describe_file
from pytest_vft.submission.server import RetryPolicy, Server

from .fake_server import KEY, FakeServer, serving


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    # Loading certificates takes longer than a test.
    with httpx2.Client(verify=False) as http, serving(FakeServer(http)) as served:
        yield served


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dataset, which is the current one, and an environment with a key."""
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "AZURE_OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "train.jsonl")
    return tmp_path


def write_data(path: Path, *, examples: int = 10, mode: str = "RGB") -> None:
    file = io.BytesIO()
    Image.new(mode, (16, 16)).save(file, "PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    write_jsonl(
        path, (build_example(f"What is {n} in {path.name}?", "A square.", url) for n in range(examples))
    )


def connect(fake: FakeServer, **more: Any) -> Server:
    """Return a server that waits for milliseconds where others wait for seconds."""
    credentials = Credentials(fake.url, more.pop("key", KEY))
    policy = RetryPolicy(
        first=0.01, longest=0.02, tries=3, deadline=more.pop("deadline", 5.0), search=more.pop("search", 0.3)
    )
    client = make_client(credentials, timeout=more.pop("timeout", 5.0), max_retries=0, http_client=fake.http)
    return Server(client=client, credentials=credentials, retry_policy=policy, **more)


def request_for(*paths: str, **settings: Any) -> JobRequest:
    """Return a job of the file at the first path, validated with the second if there is one."""
    sources = [Source(path, split) for path, split in zip(paths, ("train", "validation"), strict=False)]
    return JobRequest(
        provider="openai",
        base_url="http://127.0.0.1",
        model="gpt-4o-2024-08-06",
        files=tuple(map(describe_file, sources)),
        settings=JobSettings(**settings),
    )


def strict(params: Any, body: Any) -> None:
    """Hold *body* against the types of the openai package, which allow for no other key."""
    TypeAdapter(with_config(ConfigDict(extra="forbid"))(params)).validate_python(body)
