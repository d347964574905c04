"""Whole runs over data with URLs: what is found, what is left open, what is said of it."""

from __future__ import annotations

import csv
import json
import os
import pty
import signal
import socket
import ssl
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest
import trustme

from pytest_vft import Report, build_example, lint, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.errors import UsageError
from pytest_vft.report.formats import render
from pytest_vft.report.text import render_text
from pytest_vft.web.throttle import USUAL

from .server import Server, serving

pytestmark = pytest.mark.usefixtures("online")

VFT = [sys.executable, "-m", "pytest_vft"]
AZURE = "automlcesdkdataresources.blob.core.windows.net"


def write(folder: Path, *urls: str) -> Path:
    path = folder / "train.jsonl"
    write_jsonl(path, [build_example(f"What is {n}?", "A square.", url) for n, url in enumerate(urls)])
    return path


def check(path: Path, **settings: object) -> Report:
    return lint(path, **{"select": ["image"], "allow_private": True, "cache": False, **settings})


def texts(report: Report) -> list[tuple[int | None, str, str]]:
    return [(finding.line, finding.rule, finding.message) for finding in report.findings]


def test_each_defect_is_one_finding(tmp_path: Path, server: Server) -> None:
    names = ("ok.jpg", "404", "grey.png", "login", "big.jpg", "ok.jpg")
    base = f"http://127.0.0.1:{server.port}"
    report = check(write(tmp_path, *(f"{base}/{name}" for name in names)))

    assert texts(report) == [
        (2, "image/unreachable", "URL cannot be fetched: 404 Not Found"),
        (3, "image/unsupported-mode", "mode is L; expected RGB or RGBA"),
        (4, "image/not-an-image", "URL returns an HTML login page"),
        (5, "image/too-large", "image has 11,534,336 bytes; expected at most 10,485,760"),
    ]
    assert not report.offline
    assert server.paths["/ok.jpg"] == 1
    assert "network on" in render_text(report)


def test_private_addresses_are_wrong_without_a_request(tmp_path: Path) -> None:
    with serving() as server:
        path = write(tmp_path, f"http://127.0.0.1:{server.port}/ok.jpg", f"http://[::1]:{server.port}/ok.jpg")
        report = check(path, allow_private=False)

    assert server.connections == 0
    assert texts(report) == [
        (1, "image/not-public", "URL is not public: 127.0.0.1 is loopback"),
        (2, "image/not-public", "URL is not public: [::1] is loopback"),
    ]


@pytest.mark.parametrize("offline", [True, None])
def test_offline_nothing_is_asked_and_nothing_passes(
    tmp_path: Path,
    server: Server,
    offline: bool | None,  # noqa: FBT001 - parametrized
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VFT_OFFLINE", "1")
    before = len(server.asked)
    report = check(write(tmp_path, *(f"http://a.example/{n}.jpg" for n in range(42))), offline=offline)

    assert len(server.asked) == before
    assert report.offline
    assert report.ok
    assert "not checked: 42 images: offline" in render_text(report)
    assert not check(tmp_path / "train.jsonl", require_checked=True).ok


def test_what_is_not_settled_is_said_with_its_causes(tmp_path: Path, server: Server) -> None:
    base = f"http://127.0.0.1:{server.port}"
    report = check(write(tmp_path, f"{base}/brotli.jpg?1", f"{base}/ok.jpg"))

    text = render_text(report)
    assert report.ok
    assert report.notes == ("1 URL not settled: sent in an encoding that was not requested (1)",)
    assert "not checked: 1 image: not settled (" in text
    assert "train.jsonl\n    sent in an encoding that was not requested: line 1\n" in text
    assert text.splitlines()[-1].endswith("; 1 of 2 URLs not settled")


@pytest.fixture
def unsettled(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Report:
    """The report on five lines with three URLs, two of which are not settled."""
    monkeypatch.chdir(tmp_path)
    base = f"http://127.0.0.1:{server.port}"
    urls = [f"{base}/brotli.jpg?token=secret", f"{base}/ok.jpg", f"{base}/no-gzip.jpg"]
    write(tmp_path, *(urls[number] for number in (0, 1, 0, 2, 0)))
    return check(Path("train.jsonl"))


def test_programs_read_which_urls_and_lines_are_not_settled_and_why(
    unsettled: Report, server: Server
) -> None:
    data = json.loads(render(unsettled, "json"))

    assert (data["ok"], data["urls"]) == (True, 3)
    assert data["unsettled"] == [
        {
            "url": f"http://127.0.0.1:{server.port}/brotli.jpg?token=***",
            "cause": "sent in an encoding that was not requested",
            "places": [{"path": "train.jsonl", "line": line} for line in (1, 3, 5)],
        },
        {
            "url": f"http://127.0.0.1:{server.port}/no-gzip.jpg",
            "cause": "sent as gzip that cannot be decompressed",
            "places": [{"path": "train.jsonl", "line": 4}],
        },
    ]


def test_each_report_format_says_what_is_not_settled(unsettled: Report) -> None:
    text, markdown, github = (render(unsettled, name) for name in ("text", "markdown", "github"))
    sarif, gitlab = (json.loads(render(unsettled, name)) for name in ("sarif", "gitlab"))
    notifications = sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    lines = [
        [place["physicalLocation"]["region"]["startLine"] for place in one["locations"]]
        for one in notifications
        if "locations" in one
    ]

    assert [line for line in render(unsettled, "concise").splitlines() if ": note: " in line] == [
        *(
            f"train.jsonl:{line}: note: URL not settled: sent in an encoding that was not requested"
            for line in (1, 3, 5)
        ),
        "train.jsonl:4: note: URL not settled: sent as gzip that cannot be decompressed",
    ]
    for shown in (text, markdown):
        assert "  train.jsonl  sent in an encoding that was not requested: lines 1, 3, 5" in shown
        assert "  train.jsonl  sent as gzip that cannot be decompressed: line 4" in shown
    assert markdown.startswith("### vft: PASSED; 2 of 3 URLs not settled\n")
    assert github == (
        "::notice file=train.jsonl,line=1,title=pytest-vft::2 of 3 URLs not settled"
        "%0Atrain.jsonl:1, 3, 5: sent in an encoding that was not requested"
        "%0Atrain.jsonl:4: sent as gzip that cannot be decompressed\n"
    )
    rows = list(csv.DictReader(render(unsettled, "csv").splitlines()))
    assert [(row["line"], row["message"], row["severity"], row["file"], row["rule"]) for row in rows] == [
        *(
            (line, "URL not settled: sent in an encoding that was not requested", "note", "train.jsonl", "")
            for line in "135"
        ),
        ("4", "URL not settled: sent as gzip that cannot be decompressed", "note", "train.jsonl", ""),
    ]
    assert rows[0]["image"].endswith("/brotli.jpg?token=***")
    (suite, *_) = ET.fromstring(render(unsettled, "junit"))  # noqa: S314 - our own text
    assert suite.findtext("system-out") == (
        "URL not settled: sent in an encoding that was not requested: lines 1, 3, 5\n"
        "URL not settled: sent as gzip that cannot be decompressed: line 4"
    )
    assert suite.get("tests") == str(len(suite.findall("testcase")))
    assert ([one["level"] for one in notifications], lines) == (["note"] * 5, [[1, 3, 5], [4]])
    assert [(one["severity"], one["location"]["lines"]["begin"]) for one in gitlab] == [
        ("info", 1),
        ("info", 4),
    ]
    assert "secret" not in f"{text}{markdown}{github}{sarif}{gitlab}"


def test_a_run_that_settles_nothing_says_so(tmp_path: Path, server: Server) -> None:
    base = f"http://127.0.0.1:{server.port}"
    text = render_text(check(write(tmp_path, f"{base}/brotli.jpg?1", f"{base}/brotli.jpg?2")))

    assert text.splitlines()[-1].endswith("; none of 2 URLs settled")


def test_the_time_for_all_urls_is_an_option(tmp_path: Path, server: Server) -> None:
    base = f"http://127.0.0.1:{server.port}"
    report = check(write(tmp_path, f"{base}/ok.jpg", f"{base}/never?budget"), url_budget=1)

    assert report.notes == (
        "the time for all URLs is over; --url-budget=SECONDS gives more, and 0 unlimited time",
        "1 URL not settled: no time left of 1 s (1)",
    )
    assert render_text(report).splitlines()[-1].endswith("; 1 of 2 URLs not settled")
    with pytest.raises(UsageError, match="url_budget is -1; expected at least 0"):
        check(tmp_path / "train.jsonl", url_budget=-1)


def test_the_network_is_named_only_where_there_are_urls(tmp_path: Path) -> None:
    embedded = render_text(check(write(tmp_path, data_url("png 24x24 rgb")), select=["image"]))
    offline = render_text(check(write(tmp_path, "http://a.example/a.jpg"), offline=True))

    assert embedded.splitlines()[0].endswith("depth auto")
    assert offline.splitlines()[0].endswith("depth auto, offline")


def test_a_host_that_refuses_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_vft.web.fetching.USUAL", replace(USUAL, backoff=0.01))
    report = check(write(tmp_path, "http://127.0.0.1:1/a.jpg", "http://127.0.0.1:1/b.jpg"))

    assert not report.ok
    assert texts(report) == [
        (line, "image/unreachable", "URL cannot be fetched: connection refused") for line in (1, 2)
    ]


def test_no_network_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr(socket, "getaddrinfo", Mock(side_effect=socket.gaierror(socket.EAI_AGAIN, "")))
    report = check(write(tmp_path, *(f"http://{number}.example/a.jpg" for number in range(30))))

    assert report.ok
    assert report.notes == (
        "no host could be reached; is there a network?",
        "a proxy is set in the environment: use it with --proxy=env",
    )
    assert render_text(report).splitlines()[-1].endswith("; none of 30 URLs settled")


def test_rules_that_need_no_image_ask_nobody(tmp_path: Path, server: Server) -> None:
    before = len(server.asked)
    check(write(tmp_path, f"http://127.0.0.1:{server.port}/ok.jpg"), select=["example"])

    assert len(server.asked) == before


def test_an_expired_url_is_an_error_and_is_not_fetched(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{server.port}/ok.jpg?se=2026-01-01T01:00:00Z&sig=a"
    path = write(tmp_path, url)
    reports = []
    for minute, offline in ((59, False), (61, False), (61, True)):
        end = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
        monkeypatch.setattr(time, "time", end.timestamp)
        reports.append(check(path, offline=offline, depth="header"))

    expired = [(1, "image/expired-url", "URL expired on 2026-01-01 01:00 UTC")]
    assert [texts(report) for report in reports[1:]] == [expired, expired]
    assert not any(result.tally.unknown for report in reports[1:] for result in report.rules)
    assert [finding.rule for finding in reports[0].findings] == ["image/expiring-url"]
    assert server.paths[urlsplit(url).path + "?" + urlsplit(url).query] == 1


def test_results_are_kept_beside_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vft.toml").write_text("")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    with serving() as server:
        base = f"http://127.0.0.1:{server.port}"
        path = write(tmp_path, f"{base}/ok.jpg", f"{base}/404", f"{base}/brotli.jpg")
        reports = [check(path, cache=True), check(path, cache=True)]
        first = server.paths.copy()
        check(path)

    assert texts(reports[0]) == texts(reports[1])
    assert first == {"/ok.jpg": 1, "/404": 1, "/brotli.jpg": 2}  # what is not settled is asked again
    assert server.paths == {"/ok.jpg": 2, "/404": 2, "/brotli.jpg": 3}
    assert (tmp_path / ".vft_cache" / "urls.sqlite").exists()


@pytest.mark.parametrize("trusted", [True, False])
def test_azures_training_file_mapped_to_loopback(
    tmp_path: Path,
    trusted: bool,  # noqa: FBT001 - parametrized
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem") if trusted else os.devnull)
    tls = server_context(authority)
    with serving(tls) as server, serving() as other:
        monkeypatch.setenv(
            "VFT_RESOLVE", f"{AZURE}=127.0.0.1:{server.port}, plain.example=127.0.0.1:{other.port}"
        )
        urls = [f"https://{AZURE}/ok.jpg?{number}" for number in range(20)]
        report = check(write(tmp_path, *urls, "http://plain.example/ok.jpg"), allow_private=False)

    if trusted:
        assert report.ok
        assert not report.findings
        assert report.files[0].tallies["image/unreachable"].passed == 21
    else:
        assert [finding.rule for finding in report.findings] == ["image/unreachable"] * 20
        assert "TLS: " in report.findings[0].message


def test_several_hosts_and_no_trust_is_a_fault_of_this_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    with serving(server_context(trustme.CA())) as server:
        monkeypatch.setenv(
            "VFT_RESOLVE", ",".join(f"{host}.example=127.0.0.1:{server.port}" for host in "ab")
        )
        report = check(write(tmp_path, "https://a.example/ok.jpg", "https://b.example/ok.jpg"))

    assert report.ok
    (note,) = report.notes
    assert note.startswith("no host has a trusted certificate")


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(AZURE).configure_cert(context)
    return context


def test_a_proxy_is_used_on_request_only(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    path = write(tmp_path, "http://images.example/ok.jpg?proxied", "http://10.0.0.5/ok.jpg?proxied")
    report = check(path, allow_private=False, proxy="env")

    assert texts(report) == [(2, "image/not-public", "URL is not public: 10.0.0.5 is private")]
    assert server.paths["http://images.example/ok.jpg?proxied"] == 1
    assert report.notes == (
        "URLs were fetched through the proxy of the environment, which resolves host names itself",
    )


def test_no_spelling_of_a_local_name_reaches_a_proxy(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    local = [
        "%6cocalhost",
        "localhost%2e",
        "localhost\uff0e",
        "\uff4cocalhost",
        "localhost\0",
        "a.local%00.example",
    ]
    odd = ["public%00.example", "%256cocalhost"]
    before = len(server.asked)
    report = check(
        write(tmp_path, *(f"http://{host}/ok.jpg" for host in [*local, *odd])),
        allow_private=False,
        proxy="env",
    )

    assert [one.rule for one in report.findings] == ["image/not-public"] * 6 + ["image/unreachable"] * 2
    assert len(server.asked) == before


@pytest.mark.parametrize(
    ("settings", "variable", "words"),
    [({"proxy": "evn"}, "", "did you mean 'env'"), ({}, "a.example=nowhere", "expected HOST=ADDRESS:PORT")],
)
def test_what_is_misspelt_is_said_first(
    tmp_path: Path, settings: dict[str, str], variable: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VFT_RESOLVE", variable)
    with pytest.raises(ValueError, match=words):
        check(write(tmp_path, "http://a.example/"), **settings)


def test_the_command_shows_progress_on_a_terminal_only(tmp_path: Path, server: Server) -> None:
    slow = [f"slow.jpg?{number}" for number in range(40)]  # two seconds: 200 ms each, 6 at a time
    path = write(tmp_path, *(f"http://127.0.0.1:{server.port}/{name}" for name in ("404", *slow)))
    command = [*VFT, "check", "--allow-private", "--select=image", "--no-cache", str(path)]
    plain = subprocess.run(command, capture_output=True, text=True, check=False)
    progress = []
    for ci in ("", "true"):
        controller, terminal = pty.openpty()
        environment = {**os.environ, "CI": ci}
        shown = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=terminal, env=environment, text=True, check=False
        )
        os.write(terminal, b"the end")
        os.close(terminal)
        progress.append(os.read(controller, 65_536).decode())
        os.close(controller)

    assert plain.stderr == ""
    assert plain.returncode == shown.returncode == 1
    assert progress[1] == "the end"
    assert "404 Not Found" in plain.stdout
    assert "vft: 41 URLs, 1 failed, 0 not settled" in progress[0]
    assert "slowest: 127.0.0.1" in progress[0]


def test_interrupting_stops_at_once_and_keeps_what_was_learnt(tmp_path: Path) -> None:
    with serving() as server:
        base = f"http://127.0.0.1:{server.port}"
        path = write(tmp_path, f"{base}/ok.jpg", *(f"{base}/never?{number}" for number in range(9)))
        run = subprocess.Popen(
            [*VFT, "check", "--allow-private", str(path)], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        while server.paths.total() < 6:
            time.sleep(0.05)
        time.sleep(0.2)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=5)
        again = [*VFT, "check", "--allow-private", "--select=image", str(write(tmp_path, f"{base}/ok.jpg"))]
        subprocess.run(again, cwd=tmp_path, check=True, capture_output=True)

    assert (run.returncode, said) == (130, "vft: interrupted\n")
    assert server.paths["/ok.jpg"] == 1


def test_what_is_shown_of_a_url_lets_nobody_in(tmp_path: Path) -> None:
    path = write(tmp_path, "https://example.com/a.jpg?X-Amz-Signature=secret")
    done = subprocess.run([*VFT, "show", f"{path}:1"], capture_output=True, text=True, check=True)

    assert "https://example.com/a.jpg?X-Amz-Signature=***" in done.stdout


def test_workers_of_xdist_fetch_once(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    with serving() as server:
        write(pytester.path, *(f"http://127.0.0.1:{server.port}/ok.jpg?{n}" for n in range(10)))
        options = ["--vft-only", "--vft-data=train.jsonl", "--vft-select=image", "--vft-allow-private"]
        result = pytester.runpytest_subprocess("-p", "vft", "-p", "xdist", *options, "-n2", "-rs")

    assert result.ret == 0
    assert set(server.paths.values()) == {1}
    assert (pytester.path / ".vft_cache").exists()
    result.stdout.fnmatch_lines(["*ignored: private addresses are allowed"])
