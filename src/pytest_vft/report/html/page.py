"""Pages of HTML from templates: one file, or a folder with style sheet, script and images apart.

All text goes through text.safe() and is escaped by the templates; neither style nor script holds any data.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from pytest_vft.clock import now
from pytest_vft.errors import UsageError
from pytest_vft.reading.thumbnails import Thumbnail
from pytest_vft.text import count, safe
from pytest_vft.writing import replacing

_TEMPLATES = Path(__file__).parent / "templates"
_ONE_FILE = (".html", ".htm")
_MOST_FILTERED = 100  # rules that a checkbox hides
_NOTHING_ELSE = "default-src 'none'; base-uri 'none'; form-action 'none'"


class Page(NamedTuple):
    """A page: its template, the values for it, its thumbnails by name, and the number of its galleries."""

    template: str
    values: Mapping[str, Any]
    thumbnails: Mapping[str, Thumbnail]
    galleries: int = 0


def one_file(page: Page) -> str:
    """Return *page* as HTML that needs no other file. Raises UsageError for a wrong SOURCE_DATE_EPOCH."""
    style, script = _style(page), _script()
    sources = f"img-src data:; style-src {_hash(style)}; script-src {_hash(script)}"
    images = {
        name: f"data:image/webp;base64,{b64encode(one.data).decode()}"
        for name, one in sorted(page.thumbnails.items())
    }
    return _render(page, policy=f"{_NOTHING_ELSE}; {sources}", style=style, script=script, images=images)


def write_page(page: Page, path: Path, inputs: Iterable[str]) -> None:
    """Write *page* to the file *path* if its name ends in .html, else into the folder *path*.

    Raises UsageError if it cannot be written, or would replace one of *inputs*.
    """
    try:
        if path.suffix.lower() in _ONE_FILE:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, one_file(page).encode(errors="replace"), inputs)
        else:
            _write_folder(page, path, inputs)
    except OSError as error:
        raise UsageError(f"{error.filename or path}: {error.strerror}") from None


def _write_folder(page: Page, folder: Path, inputs: Iterable[str]) -> None:
    """Write *page* as files that a policy for pages without inline styles and scripts lets through."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for name, one in page.thumbnails.items():
        _write(folder / "images" / f"{name}.webp", one.data, inputs)
    _write(folder / "style.css", _style(page).encode(), inputs)
    _write(folder / "script.js", _script().encode(), inputs)
    sources = "'self' file:"  # the files of a page on a disk have no common origin
    policy = f"{_NOTHING_ELSE}; img-src {sources}; style-src {sources}; script-src {sources}"
    html = _render(page, policy=policy, style=None, script=None, images={})
    _write(folder / "index.html", html.encode(errors="replace"), inputs)


def _write(path: Path, content: bytes, inputs: Iterable[str]) -> None:
    if os.path.realpath(path) in map(os.path.realpath, inputs):
        raise UsageError(f"{path}: this file is checked; write to another file")
    with replacing(path) as file:
        file.write(content)


def fragment(template: str, values: Mapping[str, Any]) -> str:
    """Return the *template*, which is a part of a page, with *values*."""
    return _environment().get_template(template).render(values)


def _render(page: Page, **settings: Any) -> str:
    values = {**page.values, **settings, "made": _made(), "version": version("pytest-vft")}
    return _environment().get_template(page.template).render(values)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=_harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    del environment.filters["safe"]  # Jinja's filter of this name leaves text unescaped
    environment.filters |= {
        "lines": _lines,
        "count": count,
        "number": "{:,}".format,
        "trusted": _trusted,
    }
    return environment


def _harmless(value: Any) -> Any:
    """Return *value* for a template, without control characters; markup of the templates stays."""
    if isinstance(value, Markup | int | float):
        return value
    return "" if value is None else safe(value, None)


def _lines(text: str) -> Markup:
    """Return *text* escaped, with its line breaks."""
    return Markup("\n").join(escape(safe(line, None)) for line in text.splitlines())


def _trusted(text: str) -> Markup:
    """Return *text*, which is part of this package, without escaping it: style and script."""
    return Markup(text)  # noqa: S704 - the templates use it for our own style sheet and script only


def _made() -> str:
    """Return the time of the report, SOURCE_DATE_EPOCH if it is set (https://reproducible-builds.org)."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        time = datetime.fromtimestamp(int(given), UTC) if given else now()
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"SOURCE_DATE_EPOCH is {given!r}; expected seconds since 1970") from None
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _style(page: Page) -> str:
    """Return the style sheet, with the rules by which the checkbox of a gallery hides the gallery."""
    filters = (
        f"body:has(#rule-{n}:not(:checked)) .rule-{n} {{ display: none }}\n"
        for n in range(1, min(page.galleries, _MOST_FILTERED) + 1)
    )
    return _text("style.css") + "".join(filters)


def _script() -> str:
    return _text("script.js")


def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
