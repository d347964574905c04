"""Repairs: what is repaired passes afterwards, nothing else changes, and twice changes nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vft import build_example, fix, lint, write_jsonl
from pytest_vft.cli import main
from pytest_vft.fixing.json_walk import find_values
from pytest_vft.fixing.splice import SpliceError, splice

EXAMPLES = Path(__file__).parents[1] / "examples"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(json_values, st.booleans(), st.sampled_from([None, 0, 3]))
def test_each_value_is_found_where_it_is_written(value: object, ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001 - drawn
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    paths = dict(walk(value))

    found = find_values(raw, paths)

    assert {path: orjson.loads(raw[start:end]) for path, (start, end) in found.items()} == paths


def walk(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], object]]:
    """Return all places in *value*, with their values."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(path, value), *(place for key, item in inner for place in walk(item, (*path, key)))]


def test_only_the_bytes_of_replaced_values_change() -> None:
    raw = b' {"a" : [1, {"b\\u00e4": "x\\"}"} ] , "c":\t2.50e1 }\r\n'

    spliced = splice(raw, {("a", 1, "b\u00e4"): "new", ("c",): [0]})

    assert spliced == b' {"a" : [1, {"b\\u00e4": "new"} ] , "c":\t[0] }\r\n'


@pytest.mark.parametrize("edits", [{("z",): 1}, {("a",): 1, ("a", 0): 2}])
def test_what_cannot_be_proved_is_not_spliced(edits: dict[tuple[str | int, ...], int]) -> None:
    with pytest.raises(SpliceError):
        splice(b'{"a": [1]}', edits)


def test_faulty_example_is_repaired_line_by_line(tmp_path: Path) -> None:
    source = EXAMPLES / "faulty" / "train.jsonl"
    before = lint(source, cache=False)

    result = fix(source, out=tmp_path / "fixed", cache=False)

    new = tmp_path / "fixed" / "train.jsonl"
    old_lines, new_lines = (path.read_bytes().split(b"\n") for path in (source, new))
    changed = [
        number for number, pair in enumerate(zip(old_lines, new_lines, strict=True), 1) if pair[0] != pair[1]
    ]
    assert changed == [15, 16]
    repaired = Counter(finding.rule for finding in before.findings if finding.fix and not finding.unsafe)
    after = lint(new, cache=False)
    assert (
        Counter(one.rule for one in before.findings) - Counter(one.rule for one in after.findings) == repaired
    )
    assert result.after is not None
    assert [one.message for one in after.findings] == [one.message for one in result.after.findings]
    assert not fix(new, cache=False).is_needed


def test_files_without_changes_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean, marked = tmp_path / "clean.jsonl", tmp_path / "marked.jsonl"
    write_jsonl(clean, [build_example(f"{number}?", "A dog.") for number in range(12)])
    marked.write_bytes(b"\xef\xbb\xbf" + clean.read_bytes())

    main(["fix", str(marked), str(clean), f"--out={tmp_path / 'fixed'}", "--ignore=dataset/*"])

    assert "without changes, so not written:" in (shown := capsys.readouterr().out)
    assert str(clean) in " ".join(shown.split())
    assert [path.name for path in (tmp_path / "fixed").iterdir()] == ["marked.jsonl"]
    main(["fix", str(marked), f"--out={tmp_path / 'fixed'}", "--force"])
    assert "without changes" not in capsys.readouterr().out
