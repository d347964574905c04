"""What a file is, decided on its first bytes; ordinary JSON Lines are never taken for anything else."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vft.reading.files import ARRAY, BYTE_ORDER_MARK, HEAD, LINES, OpenedFile, container, open_file

LINE = b'{"messages": [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "1"}]}\n'
JSON_OBJECTS = st.dictionaries(st.text(), st.none() | st.integers() | st.text(), max_size=4)


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("train.jsonl"), LINE)  # of 1980: test ids must not change
    return buffer.getvalue()


def tarred(name: str, form: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        archive.addfile(tarfile.TarInfo(name), None)
    return buffer.getvalue()


COCO = {
    "info": {"year": 2026},
    "images": [{"id": 1, "file_name": "a.jpg"}],
    "annotations": [{"image_id": 1, "bbox": [1, 2, 3, 4]}],
    "categories": [],
}
LABEL_STUDIO = {
    "id": 1,
    "data": {"image": "/data/a.jpg"},
    "annotations": [{"completed_by": 1, "result": [{"from_name": "label", "to_name": "image"}]}],
}


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\n",
        b"x",
        LINE,
        LINE[:-1],
        LINE * 1000,
        BYTE_ORDER_MARK,
        BYTE_ORDER_MARK + LINE,
        b"\n" + LINE,
        b"\r\n\r\n" + LINE,
        LINE.replace(b"\n", b"\r\n"),
        BYTE_ORDER_MARK + b"\r\n" + LINE,
        "Où est le café ☕?\n".encode(),
        '{"messages": [{"role": "user", "content": "日本語"}]}\n'.encode(),
        b'{"messages": ["' + b"x" * HEAD,
        b'{"messages": [' + b"9, " * HEAD,
        LINE[:-1] + b",\n" + LINE,
        b"{}\n  \n{}\n",
        b'{"a": "<html>"}\n',
        b'{"messages": []}\n  {"messages": []}\n',
        b"{broken\n" + LINE,
        b'{"messages": [\n{"messages": []}\n',
        b"version 1\n",
        b"not JSON at all\n",
        b"Hello, world\nHow, do you do?\n",
        b"Error: no such file\n",
        b"question\nWhich?\n",
        b'{"id": 1, "question": "Red, or blue?"}\n{"id": 2}\n',
        b'{"messages": [{"content": "\\"from_name\\": 1", "role": "user"}]}\n',
        b'{"messages": [], "images": [{"file_name": "a.jpg"}]}\n',
        b"\x00\x01",
    ],
)
def test_ordinary_lines_are_nothing_else(head: bytes) -> None:
    assert container(head) == "JSONL"


@given(
    st.lists(JSON_OBJECTS.map(json.dumps) | JSON_OBJECTS.map(compact), min_size=1, max_size=3),
    st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"]),
    st.sampled_from([b"", BYTE_ORDER_MARK, b"\n", b" "]),
)
@settings(deadline=None)
def test_any_objects_one_a_line_are_json_lines(objects: list[str], newline: str, start: bytes) -> None:
    assert container(start + "".join(one + newline for one in objects).encode()) == "JSONL"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (gzip.compress(LINE, mtime=0), "gzip"),
        (zipped(), "a zip archive"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"\x28\xb5\x2f\xfd\x24", "Zstandard"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "a Git LFS pointer"),
        (LINE.decode().encode("utf-16"), "UTF-16"),
        (LINE.decode().encode("utf-16-le"), "UTF-16"),
        (LINE.decode().encode("utf-16-be"), "UTF-16"),
        (b"\xfe\xff" + '{"a": "日本"}'.encode("utf-16-be"), "UTF-16"),
        (b"[\n" + LINE + b"]\n", "a JSON array"),
        (b"[" + LINE, "a JSON array"),
        (BYTE_ORDER_MARK + b" [" + LINE, "a JSON array"),
        (json.dumps(json.loads(LINE), indent=2).encode(), "pretty-printed JSON"),
        (json.dumps(json.loads(LINE), indent="\t").encode().replace(b"\n", b"\r\n"), "pretty-printed JSON"),
        (json.dumps(json.loads(LINE), indent=0).encode(), "pretty-printed JSON"),
        (b"\n" + json.dumps(json.loads(LINE), indent=4).encode(), "pretty-printed JSON"),
        (b'{"messages": [\n  {"role": "user"},\n', "pretty-printed JSON"),
        (b"<!DOCTYPE html>\n<title>Sign in</title>", "HTML"),
        (b"\n\n<html lang=en>", "HTML"),
        (BYTE_ORDER_MARK + b"<!doctype HTML>", "HTML"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML"),
        (bz2.compress(LINE), "bzip2"),
        (lzma.compress(LINE), "xz"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7z archive"),
        (tarred("train.jsonl", tarfile.USTAR_FORMAT), "a tar archive"),
        (tarred("a", tarfile.GNU_FORMAT), "a tar archive"),
        (tarred("\u00e9" * 200, tarfile.PAX_FORMAT), "a tar archive"),
        (b"SQLite format 3\0\x10\0\x01\x01", "an SQLite database"),
        (b"ARROW1\0\0\xff\xff\xff\xff", "Arrow"),
        (b"\xff\xff\xff\xff\x98\x01\0\0\x10\0\0\0", "Arrow"),
        (b"\x93NUMPY\x01\0v\0{'descr': '<i8', 'fortran_order': False", "a NumPy array"),
        (bytes(4096), "a file of zero bytes"),
        (LINE.decode().encode("utf-32"), "UTF-32"),
        (LINE.decode().encode("utf-32-le"), "UTF-32"),
        (LINE.decode().encode("utf-32-be"), "UTF-32"),
        (b"question,answer,path\nWhich?,Red,1.jpg\n", "CSV (question,answer,path)"),
        (b"question,answer,path\n", "CSV (question,answer,path)"),
        (b'\xef\xbb\xbf"id";"the question"\r\n1;"Which?\nOr, both?"\r\n', "CSV (id,the question)"),
        (b"id\tquestion\n1\tWhich, now?\n", "TSV (id,question)"),
        (b",messages\n0,\"[{'role': 'user'}]\"\n", "CSV (,messages)"),
        (b'messages\n"[{""role"": ""user""}]"\n', "CSV (messages)"),
        (b"messages\n[]\n", LINES),
        (b"<<<<<<< HEAD\n" + LINE, LINES),
        (b"// examples\n" + LINE, LINES),
        (b'{"images": [], "annotations": [], "categories": []}', "COCO annotations"),
        (b'{\n "annotations": [],\n "images": [{"id": 1}]\n}', "COCO annotations"),
        (b'{"conversations": [], "images": []}\n', LINES),
        (b"a" * 50 + b",b\n1,2\n", f"CSV ({'a' * 39}\u2026)"),
        (b"messages:\n  - role: user\n", "YAML"),
        (b"# examples\n---\nmessages: []\n", "YAML"),
        (b"- question: Which?\n  answer: Red\n", "YAML"),
        (compact(COCO).encode(), "COCO annotations"),
        (json.dumps(COCO, indent=1).encode(), "COCO annotations"),
        (b'{"images":[],"annotations":[],"categories":[]}', "COCO annotations"),
        (b'{"categories": [], "annotations": [], "images": []}\n', "COCO annotations"),
        (b'{"messages":[],"images":[],"annotations":[],"categories":[]}', LINES),
        (b'{"images":[]}\n{"annotations":[]}\n{"categories":[]}\n', LINES),
        (lzma.compress(LINE, lzma.FORMAT_ALONE), "LZMA"),
        (lzma.compress(LINE, lzma.FORMAT_ALONE, preset=0), "LZMA"),
        (json.dumps([LABEL_STUDIO]).encode(), "a Label Studio export"),
        (json.dumps([{"messages": [], "images": ["a.jpg"]}], indent=2).encode(), ARRAY),
        (b'[{"id": 1, "conversations": []}]\n', ARRAY),
        (b"\n[\n\n", ARRAY),
        (b"[]\n[", LINES),
        (b'[1]\r\n\r\n{"messages": []}\n', LINES),
        (b"[1]\n]", ARRAY),
        (b"[1,\n{", ARRAY),
        (b'["a\n{', ARRAY),
    ],
)
def test_other_kinds_are_named(head: bytes, kind: str) -> None:
    assert container(head) == kind


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_no_bytes_raise(head: bytes) -> None:
    assert container(head)


def test_file_is_described_by_its_head(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(BYTE_ORDER_MARK + LINE * 2000)

    assert open_file(str(path)) == OpenedFile(3 + 2000 * len(LINE), "JSONL", byte_order_mark=True, error=None)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("missing.jsonl", "No such file or directory"),
        (".", "Is a directory"),
        ("a\0b.jsonl", "not a file name"),
    ],
)
def test_what_cannot_be_read_is_no_exception(tmp_path: Path, name: str, error: str) -> None:
    assert open_file(f"{tmp_path}/{name}") == OpenedFile(0, "unreadable", byte_order_mark=False, error=error)
