"""A real browser for tests of pages, and axe-core, which checks whether everybody can use a page.

Without chromium or playwright, or without npm and a network, the tests that need them are skipped.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_AXE = "axe-core@4.14.1"
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


class Visit(NamedTuple):
    """A page that is open, with all requests and all messages of its console so far."""

    page: Page
    requests: list[str]
    console: list[str]

    @property
    def shown_cards(self) -> int:
        return sum(card.is_visible() for card in self.page.locator(".card").all())


Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, until the end of the module: playwright's event loop would disturb other tests."""
    path = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if path is None:
        pytest.skip("chromium is not installed")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    contexts = []

    def open_page(target: Path | str, *, script: str | None = None, **settings: Any) -> Visit:
        context = browser.new_context(**settings)
        contexts.append(context)
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.set_default_timeout(5_000)  # milliseconds
        visit = Visit(page, [], [])
        page.on("request", lambda request: visit.requests.append(request.url))
        page.on("console", lambda message: visit.console.append(message.text))
        page.on("pageerror", lambda error: visit.console.append(str(error)))
        page.goto(target if isinstance(target, str) else target.absolute().as_uri())
        return visit

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe(request: pytest.FixtureRequest) -> str:
    """The source of axe-core, from npm's registry, once for all runs."""
    folder = request.config.cache.mkdir("axe-core")
    source = folder / f"{_AXE}.js"
    with FileLock(folder / "lock"):
        if not source.exists():
            if shutil.which("npm") is None:
                pytest.skip("npm is not installed")
            command = ["npm", "pack", "--silent", _AXE]
            packed = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
            )
            if packed.returncode:
                pytest.skip(f"npm pack {_AXE}: {packed.stderr.strip()[:200]}")
            archive = folder / packed.stdout.split()[-1]
            with tarfile.open(archive) as tar:
                member = tar.extractfile("package/axe.min.js")
                source.write_bytes(member.read())
            archive.unlink()
    return source.read_text(encoding="utf-8")


@pytest.fixture
def violations(visit: Open, axe: str) -> Callable[..., list[str]]:
    """Return the violations that axe-core finds on a page."""

    def find(target: Path | str, **settings: Any) -> list[str]:
        page = visit(target, script=axe, **settings).page
        result = page.evaluate("axe.run({resultTypes: ['violations']})")
        return [f"{one['id']}: {node['html'][:120]}" for one in result["violations"] for node in one["nodes"]]

    return find


@pytest.fixture
def serve() -> Iterator[Callable[[Path, str], str]]:
    """Serve a folder on loopback with a content security policy; return its URL."""
    servers = []

    class Handler(SimpleHTTPRequestHandler):
        policy = ""

        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", self.policy)
            super().end_headers()

        def do_GET(self) -> None:
            if self.path == "/favicon.ico":  # which browsers ask any server for
                self.send_response(204)
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    def start(folder: Path, policy: str) -> str:
        handler = partial(type("WithPolicy", (Handler,), {"policy": policy}), directory=str(folder))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
