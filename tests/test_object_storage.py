"""Files in object storage: the same reports as on disk, few requests, no secrets, clear errors."""

from __future__ import annotations

import gzip
import json
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from forms import in_s3
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import plan
from storage import KEYS, Storage
from test_shards import contents

from pytest_vft import LintError, UsageError, lint
from pytest_vft.catalogue.cases import data_url, draw
from pytest_vft.checking.lint import lint_files
from pytest_vft.cli import main
from pytest_vft.model import Source
from pytest_vft.reading import objects
from pytest_vft.reading.object_errors import ObjectError, in_our_words
from pytest_vft.reading.object_paths import ObjectPath
from pytest_vft.reading.shards import cut_nominally, read_lines
from pytest_vft.runs.sources import expand

FAULTY = sorted(Path("examples/faulty").resolve().glob("*.jsonl"))
LINE = b'{"messages": [{"role": "user", "content": "Which lot?"}, {"role": "assistant", "content": "12"}]}'
TRAIN = b"".join(LINE.replace(b"lot", b"lot of %d" % number) + b"\n" for number in range(12))


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cuts") / "train.jsonl"


@given(content=contents, shard_bytes=st.integers(1, 40), start=st.integers(0, 3))
@settings(deadline=None, max_examples=200)
def test_workers_find_each_line_once(path: Path, content: bytes, shard_bytes: int, start: int) -> None:
    path.write_bytes(content)
    start = min(start, len(content))

    shards = cut_nominally(str(path), "train", start, len(content), shard_bytes)

    lines = [line for shard in shards for line in read_lines(shard)]
    assert lines == re.findall(rb"[^\n]*\n|[^\n]+", content[start:])


def in_words(result: object, *names: tuple[str, str]) -> str:
    words = repr(result)
    for name, shown in names:
        words = words.replace(name, shown)
    return words


@pytest.mark.parametrize(
    ("storage", "shard_bytes"),
    [("s3", 7), ("s3", 64), ("s3", 1 << 20), ("gs", 200), ("az", 200), ("fake-gcs", 200)],
    indirect=["storage"],
)
def test_the_result_does_not_depend_on_where_a_file_is(
    storage: Storage, tmp_path: Path, shard_bytes: int
) -> None:
    content = b"\xef\xbb\xbf" + TRAIN + b"\r\n\nnot json\n" + LINE * 200 + b"\n" + LINE
    local = tmp_path / "train.jsonl"
    local.write_bytes(content)
    (url,) = expand(storage.put("train.jsonl", content))

    ours, theirs = (
        lint_files([Source(place)], plan(), shard_bytes=shard_bytes) for place in (str(local), url)
    )

    assert in_words(theirs, (url, "X")) == in_words(ours, (str(local), "X"))


def report_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main(["check", "--format=json", *arguments])
    shown = capsys.readouterr()
    assert not shown.err
    return shown.out


def test_a_check_of_a_folder_is_that_of_local_files(
    s3: Storage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for one in FAULTY:
        s3.put(f"data/{one.name}", one.read_bytes())
        (tmp_path / one.name).write_bytes(one.read_bytes())

    theirs = report_of(capsys, f"s3://{s3.bucket}/data/", "--no-cache")
    ours = report_of(capsys, *(one.name for one in FAULTY), "--no-cache")

    assert len(json.loads(theirs)["findings"]) > len(FAULTY)
    assert theirs.replace(f"s3://{s3.bucket}/data/", "") == ours
    assert not any(key in theirs for key in KEYS.values())


def test_a_second_run_reads_nothing(s3: Storage, capsys: pytest.CaptureFixture[str]) -> None:
    s3.put("train-a.jsonl", TRAIN)
    s3.put("train-b.jsonl", TRAIN.replace(b"lot", b"box"))
    s3.put("train-c.jsonl.gz", gzip.compress(TRAIN.replace(b"lot", b"bag")))
    first = report_of(capsys, f"s3://{s3.bucket}/")
    assert [one["examples"] for one in json.loads(first)["files"]] == [12, 12, 12]
    read = s3.reads()

    assert report_of(capsys, f"s3://{s3.bucket}/") == first
    assert s3.reads() == read > 0

    s3.put("train-b.jsonl", TRAIN.replace(b"Which", b"What"))
    assert report_of(capsys, f"s3://{s3.bucket}/") != first
    assert s3.reads() > read


READABLE = pytest.mark.parametrize("storage", ["s3", "gs", "az", "fake-gcs"], indirect=True)


@READABLE
def test_globs(storage: Storage) -> None:
    for key in (
        "train-1.jsonl",
        "train-2.jsonl",
        "trailer",
        "a/train-3.jsonl",
        "a/b/train-4.jsonl",
        ".x/train-5.jsonl",
        "train-",
        "z",
    ):
        storage.put(key, TRAIN)
    bucket = f"{storage.url}/"

    def found(pattern: str) -> list[str]:
        return [path.removeprefix(bucket) for path in expand(bucket + pattern)]

    assert found("train-*.jsonl") == ["train-1.jsonl", "train-2.jsonl"]
    assert found("train-*") == ["train-", "train-1.jsonl", "train-2.jsonl"]
    assert found("*-[13].jsonl") == ["train-1.jsonl"]
    assert found("*/train-?.jsonl") == ["a/train-3.jsonl"]
    assert found("**/train-?.jsonl") == [
        "a/b/train-4.jsonl",
        "a/train-3.jsonl",
        "train-1.jsonl",
        "train-2.jsonl",
    ]
    assert found("a/**") == ["a/b/train-4.jsonl", "a/train-3.jsonl"]
    assert found("") == ["a/b/train-4.jsonl", "a/train-3.jsonl", "train-1.jsonl", "train-2.jsonl"]
    assert found("a/") == ["a/b/train-4.jsonl", "a/train-3.jsonl"]
    assert found("trailer") == ["trailer"]


def put_odd(storage: Storage, key: str) -> None:
    """Write an object with a key, quoted, that obstore does not write."""
    url = f"{storage.address}/{storage.bucket}/{key}"
    urlopen(Request(url, method="PUT", data=TRAIN)).close()  # noqa: S310 - a server on loopback


@pytest.fixture
def odd(s3: Storage) -> Storage:
    """Return a bucket with keys of which some are not read."""
    for key in ("train-1.jsonl", "data/train.jsonl", "data/a/train.jsonl", "up/train.jsonl"):
        s3.put(key, TRAIN)
    for key in ("up%2F%2Fx%1B.txt", "data%2F.old%2F..%2Fx.jsonl", "data%2Fa%2Fb%2F%2Fx.jsonl"):
        put_odd(s3, key)
    return s3


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("train-*.jsonl", ["train-1.jsonl"]),
        ("dat[a]/*", ["data/train.jsonl"]),
        ("data/?/*.jsonl", ["data/a/train.jsonl"]),
        ("up/train.jsonl", ["up/train.jsonl"]),
    ],
)
def test_a_key_that_is_not_read_stops_no_other_folder(odd: Storage, pattern: str, found: list[str]) -> None:
    assert expand(f"{odd.url}/{pattern}") == [f"{odd.url}/{key}" for key in found]


@pytest.mark.parametrize(
    ("pattern", "folder", "key"),
    [
        ("data/", "data/a/b/", "a key that begins with data/a/b//"),
        ("**/train.jsonl", "data/a/b/", "a key that begins with data/a/b//"),
        ("*/train.jsonl", "up/", "a key that begins with up//"),
    ],
)
def test_a_folder_with_a_key_that_is_not_read_is_named(
    odd: Storage, pattern: str, folder: str, key: str
) -> None:
    with pytest.raises(UsageError) as raised:
        expand(f"{odd.url}/{pattern}")
    assert str(raised.value) == (
        f"{odd.url}/{pattern}: the objects in {odd.url}/{folder} cannot be listed: {key} has an empty folder "
        "name, . or .. as one, or a control character, which is not read; rename the object, or name the "
        "other objects one by one"
    )


@pytest.mark.parametrize("storage", ["gs"], indirect=True)
def test_a_slash_at_the_start_or_end_of_a_key(storage: Storage) -> None:
    storage.put("train.jsonl", TRAIN)
    put_odd(storage, "%2Fmore.jsonl")  # obstore lists more.jsonl
    with pytest.raises(UsageError, match="the key has an empty folder name"):
        lint(f"{storage.url}//more.jsonl")
    found = {
        one.path: one.message for one in lint(f"{storage.url}/").findings if one.rule == "file/unreadable"
    }
    assert list(found) == [f"{storage.url}/more.jsonl"]
    assert "the object was deleted, or its key begins or ends with /" in found[f"{storage.url}/more.jsonl"]
    put_odd(storage, "a%2F%2Fx")
    with pytest.raises(UsageError, match="cannot be listed: a key that begins with / has"):
        lint(f"{storage.url}/")
    put_odd(storage, "b%2Ftrain.jsonl")
    put_odd(storage, "b%2Ftrain.jsonl%2F")
    with pytest.raises(UsageError, match=r"b/train\.jsonl: there is another object"):
        lint(f"{storage.url}/b/")


def test_workers_are_told_the_version_and_no_key(s3: Storage) -> None:
    (path,) = expand(s3.put("train.jsonl", TRAIN))

    sent = pickle.dumps((plan(), cut_nominally(path, "train", 0, len(TRAIN), 100)))

    assert not any(key.encode() in sent for key in KEYS.values())
    shards = pickle.loads(sent)[1]  # noqa: S301 - our own
    assert {(one.path, one.path.size, one.path.etag) for one in shards} == {(path, len(TRAIN), path.etag)}


def test_an_object_that_changes_is_an_error(s3: Storage) -> None:
    (path,) = expand(s3.put("train.jsonl", TRAIN))
    s3.put("train.jsonl", TRAIN.replace(b"lot", b"box"))

    (finding,) = lint_files([Source(path)], plan()).findings

    assert finding.found.rule == "file/unreadable"
    assert "has changed since the run began; run it again" in finding.found.message


def test_a_worker_without_access_is_an_error_that_says_so(s3: Storage) -> None:
    (path,) = expand(s3.put("train.jsonl", TRAIN))

    class Elsewhere(ThreadPoolExecutor):
        """Its workers do not find the object."""

        def submit(self, fn: Any, /, software: bytes, plan: bytes, shards: bytes) -> Any:  # type: ignore[override]
            there = ObjectPath(f"{s3.url}/none.jsonl", path.size, path.etag)
            work = [
                one._replace(shard=one.shard._replace(path=there))
                for one in pickle.loads(shards)  # noqa: S301 - as a worker does
            ]
            return super().submit(fn, software, plan, pickle.dumps(work))

    with (
        Elsewhere(1) as pool,
        pytest.raises(
            LintError, match=r"cannot read the file: the object was deleted.*; each worker needs its own"
        ),
    ):
        lint_files([Source(path)], plan(), workers=lambda _: pool)


@READABLE
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.jsonl", "no such object; a folder ends with /"),
        ("none-*.jsonl", "no object matches$"),
        ("none/", "the folder has no objects whose names end in .jsonl, "),
        ("a//b.jsonl", "the key has an empty folder name"),
    ],
)
def test_what_is_not_there(storage: Storage, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        lint(f"{storage.url}/{name}")
    assert str(raised.value).startswith(f"{storage.url}/{name}: ")


def test_a_bucket_that_is_not_there(storage: Storage) -> None:
    for name in ("", "x.jsonl", "*.jsonl"):
        with pytest.raises(UsageError, match=r"no such (bucket|container)"):
            lint(f"{storage.scheme}://none-{storage.bucket}/{name}")


def test_a_url_without_a_bucket() -> None:
    with pytest.raises(UsageError, match="expected s3://BUCKET/KEY"):
        lint("s3://")
    with pytest.raises(UsageError, match=r"^s3://\.\.\.@cards/x: expected s3://BUCKET/KEY"):
        lint("s3://user:pw@cards/x")
    for url in ("az://c/x", "az://Cards/x", "az://a--b/", f"az://{'c' * 64}/x"):
        with pytest.raises(UsageError, match=r"/x?: the name of a container must have 3 to 63 lowercase"):
            lint(url)
    for url in ("s3://c/x", "gs://-cards/x", "s3://\x1b[2J/x"):
        with pytest.raises(
            UsageError, match="/x: the name of a bucket must have at least 3 letters"
        ) as raised:
            lint(url)
        assert "\x1b" not in str(raised.value)
    for name in ("S3://cards/x", "s3:/cards/x", "s3a://user:pw@cards/x", "https://cards.example/x"):
        with pytest.raises(UsageError, match="no such file; objects are named s3://") as raised:
            lint(name)
        assert "pw" not in str(raised.value)


class Hostile(BaseHTTPRequestHandler):
    """Refuses every request, and quotes its credentials."""

    def do_GET(self) -> None:
        self.refuse(403, "SignatureDoesNotMatch")

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def refuse(self, status: int, code: str) -> None:
        quoted = str(self.headers) + "".join(KEYS.values())
        body = f"<Error><Code>{code}</Code><Message>\x1b[31m{quoted}</Message></Error>".encode()
        self.send_response(status, " ".join(quoted.split()))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Faulty(Hostile):
    """Has TRAIN at each key; what is wrong with the answer to a GET is the name of the object."""

    def do_HEAD(self) -> None:
        if self.path.endswith("/head"):
            self.refuse(400, "")
        else:
            self.answer(200, TRAIN, "one")

    def do_GET(self) -> None:
        fault = self.path.rpartition("/")[2]
        if fault.isalpha():
            self.refuse(400, fault)
        else:
            self.answer(
                200 if fault == "no-range" else 206,
                TRAIN[: 100 if fault == "cut-off" else None],
                "two" if fault == "2" else "one",
            )

    def answer(self, status: int, content: bytes, etag: str) -> None:
        self.send_response(status)
        self.send_header("ETag", f'W/"{etag}"' if self.command == "GET" else f'"{etag}"')
        self.send_header("Last-Modified", "Mon, 30 Nov 2026 07:00:00 GMT")
        self.send_header("Content-Length", str(len(TRAIN)))
        self.send_header("Content-Range", f"bytes 0-{len(TRAIN) - 1}/{len(TRAIN)}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@contextmanager
def serving(handler: type[Hostile], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the environment lead to a server on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def _hostile(s3: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    assert s3  # its environment
    with serving(Hostile, monkeypatch):
        yield


@pytest.mark.usefixtures("s3")
def test_faults_of_a_server_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "RETRIES", 0)
    with serving(Faulty, monkeypatch):
        for name, words in (
            ("1", ""),  # no fault, although a weak ETag is not that of the first answer to the letter
            ("2", "the object has changed since the run began; run it again"),
            ("cut-off", "the connection was cut off, also when asked again; run it again"),
            ("no-range", "the server does not read ranges; copy the object to this machine"),
            ("ExpiredToken", "the credentials have expired; set new ones: AWS_ACCESS_KEY_ID and"),
            ("RequestTimeTooSkewed", "the clock of this machine is wrong; set it"),
            ("InvalidObjectState", "the object is archived; restore it first"),
        ):
            found = [one for one in lint(f"s3://faulty/{name}").findings if one.rule == "file/unreadable"]
            assert [one.message.partition("cannot be read: ")[2][: len(words)] for one in found] == (
                [words] if words else []
            )
        with pytest.raises(UsageError, match="the server refused; set new credentials if they"):
            lint("s3://faulty/head")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UsageError, match="the credentials are not complete; set AWS_ACCESS_KEY_ID and"):
        lint("s3://half/train.jsonl")


@pytest.mark.usefixtures("_hostile")
def test_no_error_quotes_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("train.jsonl", "", "*.jsonl"):
        assert main(["check", f"s3://hostile/{name}"]) == 2
        shown = capsys.readouterr()
        assert shown.err.startswith(f"vft: s3://hostile/{name}: access denied; the credentials come from")
        assert shown.err.count("\n") == 1
        assert not any(key in shown.err + shown.out for key in (*KEYS.values(), "AWS4-HMAC", "\x1b"))


@pytest.mark.usefixtures("s3")
def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_TIMEOUT", "50ms")
        with pytest.raises(UsageError, match="did not answer in time; AWS_TIMEOUT=60s waits longer"):
            lint("s3://silent/train.jsonl")
        monkeypatch.setattr(objects, "_FIRST_PATIENCE", timedelta(0))
        with pytest.raises(UsageError, match="did not answer in time"):
            lint("s3://silent-2/train.jsonl")
        silent.setblocking(False)
        asked = []
        with suppress(BlockingIOError), ExitStack() as connections:
            while True:
                asked.append(connections.enter_context(silent.accept()[0]))
        assert len(asked) == 4 + 1
    with pytest.raises(UsageError, match="no connection to the server"):
        lint("s3://closed/train.jsonl")
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(UsageError, match="AWS_ALLOW_HTTP=true allows that"):
        lint("s3://plain/train.jsonl")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "AWS_ENDPOINT_URL",
            "127.0.0.1:5624",
            "is not a valid URL; expected http://HOST:PORT or https://HOST",
        ),
        ("AWS_ENDPOINT_URL", "ftp://127.0.0.1", "is not a valid URL"),
        ("AWS_ENDPOINT_URL", "http://", "is not a valid URL"),
        ("AWS_ENDPOINT_URL", "http://[::1", "is not a valid URL"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:99999", "is not a valid URL"),
        ("AWS_ENDPOINT", "http://127.0.0.1:1\n", "is not a valid URL"),
        ("AWS_SESSION_TOKEN", "secret\n", "has a control character, such as a line break at its end"),
        ("AWS_REGION", "secret\n", "has a control character"),
        ("AWS_TIMEOUT", "secret", "is not valid; expected a duration"),
    ],
)
@pytest.mark.usefixtures("s3")
def test_a_variable_that_is_not_valid_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    bucket = f"invalid-{abs(hash((name, value)))}"
    assert main(["check", f"s3://{bucket}/train.jsonl"]) == 2
    error = capfd.readouterr().err  # Rust writes past sys.stderr
    assert error.startswith(f"vft: s3://{bucket}/train.jsonl: {name} in the environment {words}")
    assert error.count("\n") == 1
    assert "secret" not in error


def test_a_panic_of_rust_is_an_error_like_others() -> None:
    panic = type("PanicException", (BaseException,), {})
    with (
        pytest.raises(ObjectError, match="the request failed; check endpoint"),
        in_our_words("s3", "s3://a/b"),
    ):
        raise panic("called unwrap() on secret")
    with pytest.raises(KeyboardInterrupt), in_our_words("s3", "s3://a/b"):
        raise KeyboardInterrupt


def test_without_the_extra(s3: Storage) -> None:
    url = s3.put("train.jsonl", TRAIN)
    code = "import sys; sys.modules['obstore'] = None"
    code += "; from pytest_vft.cli import main; sys.exit(main(sys.argv[1:]))"

    run = subprocess.run(
        [sys.executable, "-c", code, "check", url], capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f'vft: {url}: object storage needs obstore: pip install "pytest-vft[cloud]"\n'


def test_every_command_reads_objects(
    s3: Storage, tmp_path: Path, capsys: pytest.CaptureFixture[str], pytester: pytest.Pytester
) -> None:
    content = b"\xef\xbb\xbf" + TRAIN  # the mark is repaired
    url = s3.put("data/train.jsonl", content)

    assert main(["show", f"{url}:3"]) == 0
    assert f"{url}:3  train" in capsys.readouterr().out
    assert main(["providers", url, "--format=json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["examples"] == 12
    assert main(["convert", url, "--to=trl", f"--out={tmp_path / 'trl'}"]) == 0
    assert (tmp_path / "trl" / "train.jsonl").read_bytes().count(b"\n") == 12
    assert main(["fix", url, f"--out={tmp_path / 'fixed'}"]) == 0
    assert (tmp_path / "fixed" / "train.jsonl").read_bytes() == TRAIN
    assert s3.get("data/train.jsonl") == content
    rows = "".join(f'Which lot {n}?,Lot {n}.,"{data_url("png 64x64 rgb")}"\n' for n in range(12))
    table = s3.put("cards.csv", f"question,answer,image\nNo answer?,,a.png\n{rows}".encode())
    assert main(["build", table, f"--out={tmp_path / 'built'}", "--drop"]) == 0
    assert (tmp_path / "built" / "train.jsonl").read_bytes().count(b"\n") == 12
    assert (tmp_path / "built" / "cards.csv.rej").read_text() == "question,answer,image\nNo answer?,,a.png\n"

    url = s3.put("clean/train.jsonl", TRAIN)
    result = pytester.runpytest_inprocess(f"--vft-data=s3://{s3.bucket}/clean/", "-v")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"{url}::line/invalid-json PASSED*"])
    assert pytester.runpytest_inprocess(f"{url}::line/invalid-json", f"--vft-data={url}").ret == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "train.jsonl", "--report=json:s3://cards/r.json"],
        ["check", "train.jsonl", "--report=json:https://user:pw@cards.example/r.json"],
        ["check", "train.jsonl", "--baseline=s3://cards/known.json", "--write-baseline"],
        ["show", "train.jsonl:1", "--save=s3://cards/images"],
        ["submit", "plan", "train.jsonl", "--plan=s3://cards/plan.json"],
        ["eval", "--write-batch=s3://cards/b.jsonl", "--test=train.jsonl", "--model=m"],
        ["eval", "s3://cards/answers.jsonl", "--test=train.jsonl", "--live=m", "--metric=normalised_exact"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_reports_are_not_written_to_urls(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    Path("train.jsonl").write_bytes(TRAIN)
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    try:
        code: object = main(arguments)
    except SystemExit as error:
        code = error.code
    assert code == 2
    error = capsys.readouterr().err
    assert re.search(r"is (in object storage|a URL); expected a ", error)
    assert "pw" not in error
    assert [path.name for path in Path().iterdir()] == ["train.jsonl"]


def test_no_object_is_changed_or_submitted(s3: Storage, capsys: pytest.CaptureFixture[str]) -> None:
    url = s3.put("train.jsonl", b"\xef\xbb\xbf" + TRAIN)
    assert main(["check", url]) == 0
    command = f"vft fix {url} --out={s3.url}/fixed"  # which writes
    assert capsys.readouterr().out.endswith(f"1 can be repaired: {command}\n")
    assert main(["fix", url]) == 1
    assert "nothing was written: --out=DIR writes, --diff shows each change" in capsys.readouterr().out

    for arguments in (
        ["fix", url, "--in-place"],
        ["fix", url, "--in-place", "--select=line/invalid-json"],  # nothing to repair
        ["submit", "plan", url],
    ):
        assert main(arguments) == 2, arguments
        error = capsys.readouterr().err
        assert re.fullmatch(r"vft: s3://\S+: .* in object storage.*\n", error), error
    assert s3.keys() == ["train.jsonl"]
    assert not Path("s3:").exists()


def labels(s3: Storage, *names: str) -> Path:
    """Write a file in the format bedrock with images in the bucket at the keys *names*."""
    lines = [
        {
            "schemaVersion": "bedrock-conversation-2024",
            "messages": [
                {
                    "role": "user",
                    "content": [{"text": f"Which lot {n}?"}, in_s3(f"s3://{s3.bucket}/{name}")],
                },
                {"role": "assistant", "content": [{"text": f"{n}"}]},
            ],
        }
        for n, name in enumerate(names)
    ]
    Path("train.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return Path("train.jsonl")


def test_images_in_buckets_are_checked(s3: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put("good.png", draw("png 64x64 rgb")[1])
    s3.put("small.png", draw("png 4x4 rgb")[1])
    s3.put("page.png", b"<html><body>moved</body></html>")
    path = labels(s3, "good.png", "small.png", "page.png", "none.png")

    def found(*, offline: bool) -> tuple[set[tuple[str, int | None]], list[tuple[str, str]], int]:
        report = lint(path, offline=offline)
        findings = {(one.rule, one.line) for one in report.findings if one.rule.startswith("image/")}
        return findings, [(one.url, one.cause) for one in report.unsettled], report.urls

    assert found(offline=True) == (set(), [], 0)
    assert not s3.reads()

    settled = found(offline=False)
    read = s3.reads()
    assert settled == (
        {("image/too-small", 2), ("image/not-an-image", 3)},
        [(f"s3://{s3.bucket}/none.png", "no such object")],
        4,
    )
    assert found(offline=False) == settled
    assert s3.reads() == read + 1  # the missing one

    monkeypatch.setitem(sys.modules, "obstore", None)
    assert found(offline=False) == (set(), [], 0)


@pytest.mark.usefixtures("s3")
def test_ctrl_c_does_not_wait_for_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        command = [sys.executable, "-m", "pytest_vft", "check", "s3://silent/train.jsonl"]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as check:
            connection, _ = silent.accept()  # the request is on its way
            with connection:
                check.send_signal(signal.SIGINT)
                assert check.wait(20) == 130
