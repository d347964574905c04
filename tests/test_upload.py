"""Outputs in object storage: the files of a folder, nothing is replaced unasked, a rerun goes on."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from storage import KEYS, Storage
from xxhash import xxh3_128_hexdigest

from pytest_vft import UsageError, convert, fix
from pytest_vft.catalogue.cases import draw
from pytest_vft.cli import main
from pytest_vft.outputs.objects import WHOLE, put_file
from pytest_vft.reading.object_errors import ObjectError

MARK = b"\xef\xbb\xbf"  # is repaired
LINE = b'{"messages": [{"role": "user", "content": "Which lot?"}, {"role": "assistant", "content": "12"}]}\n'
TRAIN = b"".join(LINE.replace(b"lot", b"lot of %d" % number) for number in range(12))


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def pictured() -> bytes:
    """Return lines with images: good ones, and one that is too large for most."""
    lines = []
    for number, size in enumerate(("64x64", "65x64", "9000x8")):
        _, content = draw(f"png {size} rgb")
        url = f"data:image/png;base64,{b64encode(content).decode()}"
        parts = [
            {"type": "text", "text": f"Which lot {number}?"},
            {"type": "image_url", "image_url": {"url": url}},
        ]
        answer = {"role": "assistant", "content": "12"}
        lines.append(json.dumps({"messages": [{"role": "user", "content": parts}, answer]}))
    return "".join(f"{line}\n" for line in lines).encode()


def staged() -> list[str]:
    return [path.name for path in Path("temporary").iterdir()]


def files_in(folder: str) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def objects_in(storage: Storage, prefix: str) -> dict[str, bytes]:
    keys = storage.keys()
    return {key.removeprefix(prefix): storage.get(key) for key in keys if key.startswith(prefix)}


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = main([*arguments])
    shown = capsys.readouterr()
    assert not shown.err
    return f"{code} {' '.join(shown.out.split())}"


@pytest.mark.parametrize(
    "command",
    [
        ["convert", "train.jsonl", "--to=llamafactory", "--images=files", "--drop"],
        ["convert", "train.jsonl", "--to=trl", "--drop"],
        ["fix", "train.jsonl", "--drop", "--unsafe"],
        ["build", "rows.csv", "--question=Which lot?", "--answer=lot", "--to=openai"],
    ],
    ids=" ".join,
)
def test_objects_are_the_files_of_a_folder(
    storage: Storage, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    Path("train.jsonl").write_bytes(MARK + pictured() + b"{}\n" + TRAIN)
    Path("rows.csv").write_text("image,lot\nlot.png,12\n")
    Path("lot.png").write_bytes(draw("png 64x64 rgb")[1])
    url = f"{storage.url}/new"
    ours = printed(capsys, *command, "--out=new")

    theirs = printed(capsys, *command, f"--out={url}")

    assert objects_in(storage, "new/") == files_in("new")
    assert f"{url}/train.jsonl" in theirs
    assert theirs.partition(" next:")[0].replace(url, "new") == ours.partition(" next:")[0]
    assert "temporary" not in theirs
    assert not staged()
    assert not Path(f"{storage.scheme}:").exists()
    assert storage.puts("new/")[-1] == "train.jsonl"  # when its images are there

    before = objects_in(storage, "new/")
    assert main([*command, f"--out={url}"]) == 2
    assert re.search(
        r"new/\S+: exists already( \(and \d more\))?; write to a new prefix", capsys.readouterr().err
    )
    assert objects_in(storage, "new/") == before


@pytest.mark.parametrize("command", [["convert", "--to=trl"], ["fix"], ["build", "--answer=b"]])
@pytest.mark.parametrize("url", ["S3://cards/new", "s3a://cards/new", "https://user:pw@cards.example/new"])
def test_a_url_that_is_not_written_is_no_folder(
    capsys: pytest.CaptureFixture[str], command: list[str], url: str
) -> None:
    Path("train.jsonl").write_bytes(MARK + TRAIN)

    assert main([command[0], "train.jsonl", *command[1:], f"--out={url}"]) == 2
    expected = f"{url.partition(':')[0]}://...: expected a folder, or s3://..., gs://... or az://...\n"
    assert capsys.readouterr().err == f"vft: --out={expected}"
    assert not list(Path().glob("*:"))


class Proxy(ThreadingHTTPServer):
    """Passes requests on to a server, except those that match *special*, which *answer* decides on.

    *answer* is a status, "lose" for a request that is passed on and whose answer is lost, or "hang".
    """

    daemon_threads = True

    def __init__(self, address: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.behind = urlsplit(address).netloc
        self.special = "nothing"
        self.answer: int | str = 403
        self.held = threading.Semaphore(0)
        self.ended = threading.Event()


class _Passing(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        path = unquote(self.path).partition("?")[0]
        is_special = re.fullmatch(self.server.special, f"{self.command} {path}")
        if is_special and self.server.answer == "hang":
            self.server.held.release()
            self.server.ended.wait(30)
            return
        if is_special and isinstance(self.server.answer, int):
            self.send_response(self.server.answer)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        connection = HTTPConnection(self.server.behind)
        connection.request(self.command, self.path, body, dict(self.headers))
        found = connection.getresponse()
        content = found.read()
        connection.close()
        if is_special:
            self.server.special = "nothing"
            self.close_connection = True
            return
        self.send_response(found.status)
        for name, value in found.getheaders():
            if name.lower() not in ("connection", "date", "server", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        length = found.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def proxy(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    server = Proxy(storage.address)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    storage.lead(f"http://127.0.0.1:{server.server_port}", monkeypatch)
    yield server
    server.ended.set()
    server.shutdown()
    server.server_close()


def test_an_upload_that_fails_goes_on(
    storage: Storage, proxy: Proxy, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("train.jsonl").write_bytes(pictured())
    command = ["convert", "train.jsonl", "--to=llamafactory", "--images=files", f"--out={storage.url}/new"]
    proxy.special = r"PUT .*/new/train\.jsonl"

    assert main(command) == 2
    error = capsys.readouterr().err

    assert re.fullmatch(
        rf"vft: {storage.url}/new/train.jsonl: access denied; .*; "
        r"uploaded 4 of 5 files, not train\.jsonl; run the same command again to upload the rest\n",
        error,
    )
    assert not any(key in error for key in KEYS.values())
    assert "train.jsonl" not in objects_in(storage, "new/")
    before = storage.puts("new/")
    assert len(staged()) == 1

    proxy.answer, proxy.special = "lose", r"PUT .*/new/train\.jsonl"
    assert main(command) == 0
    main([*command[:-1], "--out=new"])
    assert objects_in(storage, "new/") == files_in("new")
    sent = storage.puts("new/")[len(before) :]
    assert sent == ["train.jsonl"] * 2  # asked again, since the answer was lost
    assert not staged()


@pytest.mark.parametrize("storage", ["s3"], indirect=True)
@pytest.mark.parametrize(
    ("status", "words"),
    [
        (409, "another process writes this object"),
        (501, "the server cannot refuse to replace an object; write into a folder, and copy that"),
    ],
)
def test_a_server_that_does_not_write_a_new_object(
    storage: Storage, proxy: Proxy, status: int, words: str
) -> None:
    Path("train.jsonl").write_bytes(MARK + TRAIN)
    proxy.special, proxy.answer = "PUT .*", status
    with pytest.raises(UsageError, match=rf"new/train\.jsonl: {words}; uploaded 0 of 1 file"):
        fix("train.jsonl", out=f"{storage.url}/new")
    proxy.special = "nothing"
    assert fix("train.jsonl", out=f"{storage.url}/new").outputs


def test_what_others_write_meanwhile_stays(storage: Storage, proxy: Proxy) -> None:
    Path("train").write_bytes(MARK + TRAIN)
    url = f"{storage.url}/new"
    proxy.special = r"PUT .*/new/train"
    with pytest.raises(UsageError, match="uploaded 0 of 1 file, not train; run the same"):
        fix("train", out=url)
    proxy.special = "nothing"
    storage.put("new/train", b"theirs")

    with pytest.raises(
        UsageError, match=r"exists already; --force replaces it; uploaded 0 of 1 file, not train$"
    ):
        fix("train", out=url)

    assert storage.get("new/train") == b"theirs"
    assert fix("train", out=url, force=True).outputs[0].path == f"{url}/train"
    assert objects_in(storage, "new/") == {"train": TRAIN}


def test_what_is_not_written(storage: Storage) -> None:
    source = storage.put("data/train.jsonl", MARK + TRAIN)
    with pytest.raises(UsageError, match=r"data/train\.jsonl: this object is read; write to another prefix"):
        fix(source, out=f"{storage.url}/data/", force=True)
    with pytest.raises(UsageError, match=r"none: no such (bucket|container)"):
        fix(source, out=f"{storage.scheme}://none")
    Path("train.jsonl").write_bytes(TRAIN + b"{}\n")
    refused = convert("train.jsonl", to="trl", out=f"{storage.url}/trl")
    assert not refused.written
    clean = storage.put("data/clean.jsonl", TRAIN)
    assert fix(clean, out=f"{storage.url}/clean").is_clean

    storage.put("old/train.jsonl.rej", b"of an earlier run")
    storage.put("old/other.jsonl", b"theirs")
    fix(source, out=f"{storage.url}/old", force=True)
    assert objects_in(storage, "old/") == {"train.jsonl": TRAIN, "other.jsonl": b"theirs"}
    storage.put("factory/dataset_info.json", b"{}")
    with pytest.raises(UsageError, match="nothing is added to objects"):
        convert(clean, to="llamafactory", out=f"{storage.url}/factory", force=True)
    assert objects_in(storage, "factory/") == {"dataset_info.json": b"{}"}
    assert not staged()


def test_a_link_that_a_stranger_left_is_not_followed(s3: Storage, tmp_path: Path) -> None:
    Path("train.jsonl").write_bytes(MARK + TRAIN)
    Path("elsewhere").mkdir()
    url = f"{s3.url}/new"
    Path(tempfile.gettempdir(), f"vft-upload-{xxh3_128_hexdigest(url.encode())}").symlink_to(
        tmp_path / "elsewhere"
    )

    with pytest.raises(UsageError, match="belongs to another user; set TMPDIR"):
        fix("train.jsonl", out=url)

    assert not files_in("elsewhere")
    assert not s3.keys()


def test_large_files_are_written_in_parts(storage: Storage, tmp_path: Path) -> None:
    path, url = tmp_path / "large", f"{storage.url}/large"
    path.write_bytes(b"1" * (WHOLE + 1))

    etag = put_file(url, path, replaces=False)

    assert len(storage.puts("large")) > 1
    assert put_file(url, path, replaces=False) == etag
    path.write_bytes(b"2" * (WHOLE + 1))
    with pytest.raises(ObjectError, match="exists already"):
        put_file(url, path, replaces=False)
    put_file(url, path, replaces=True)
    assert storage.get("large") == path.read_bytes()


@pytest.mark.parametrize(
    ("storage", "special"),
    [("s3", "GET .*/data/.*"), ("gs", "PUT .*/new/.*"), ("az", "PUT .*/new/.*")],
    indirect=["storage"],
)
def test_ctrl_c_ends_many_requests(storage: Storage, proxy: Proxy, special: str) -> None:
    for number in range(20):
        Path(f"{number}.jsonl").write_bytes(MARK + pictured())
        storage.put(f"data/{number}.jsonl", TRAIN)
    given = ["*.jsonl"] if special.startswith("PUT") else [f"{storage.url}/data/"]
    proxy.special, proxy.answer = special, "hang"
    command = ["convert", *given, "--to=trl", "--images=files", f"--out={storage.url}/new"]
    with subprocess.Popen([sys.executable, "-m", "pytest_vft", *command], stderr=subprocess.PIPE) as run:
        assert proxy.held.acquire(timeout=30)
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
        assert run.stderr
        assert run.stderr.read() == b"vft: interrupted\n"
    assert not objects_in(storage, "new/")


@pytest.mark.parametrize("storage", ["s3"], indirect=True)
@pytest.mark.parametrize(("special", "left"), [("GET /[^/]*/?", 0), ("PUT .*/new/.*", 1)])
def test_sigterm_leaves_only_an_upload_that_has_begun(
    storage: Storage, proxy: Proxy, special: str, left: int
) -> None:
    storage.put("data/train.jsonl", TRAIN)
    proxy.special, proxy.answer = special, "hang"
    command = ["convert", f"{storage.url}/data/train.jsonl", "--to=trl", f"--out={storage.url}/new"]
    with subprocess.Popen([sys.executable, "-m", "pytest_vft", *command], stderr=subprocess.PIPE) as run:
        assert proxy.held.acquire(timeout=30)
        run.send_signal(signal.SIGTERM)
        assert run.wait(20) == -signal.SIGTERM
        assert run.stderr
        assert run.stderr.read() == b""
    assert len(staged()) == left
