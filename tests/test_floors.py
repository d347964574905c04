"""Imports go down only; slow and optional packages are imported where they are used."""

from __future__ import annotations

import ast
import enum
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import pytest_vft
from pytest_vft import build_example, write_jsonl
from pytest_vft.catalogue.cases import data_url

SRC = Path(__file__).parents[1] / "src"
PACKAGE = "pytest_vft"

# Bottom to top: a module may import from the floors below its own.
# Within a floor only modules of one package, and those of the ground floor, import each other.
FLOORS = (
    {
        "model",
        "output_summary",
        "errors",
        "gaps",
        "line_ranges",
        "text",
        "toml",
        "tuples",
        "options",
        "regular_files",
        "resources",
        "json_schema",
        "writing",
        "encoding",
        "building",
        "client",
        "naming",
        "clock",
        "compatibility",
        "locking",
        "garbage",
        "temporary",
    },
    {"reading"},
    {"formats"},
    {"facts"},
    {"catalogue"},
    {"checking", "web", "submission", "evaluation", "loaders"},
    {"fixing"},
    {"report"},
    {"outputs"},
    {"converting"},
    {"tables"},
    {"runs"},
    {""},  # the package itself, which resolves the public names
    {"items"},
    {"cli", "plugin"},
    {"__main__"},
)
FLOOR = {unit: number for number, units in enumerate(FLOORS) for unit in units}

ONLY_IMPORTED_BY = {
    "distributed": {"checking.cluster"},
    "aiohttp": {"web.answers", "web.requesting", "web.resolver"},
    "jinja2": {"report.html.page"},
    "jsonschema": {"json_schema"},
    "jsonschema_rs": {"json_schema"},
    "openai": {
        "client",
        "evaluation.chat",
        "submission.job",
        "submission.once",
        "submission.preflight",
        "submission.server",
        "submission.upload",
    },
    "pytest": {
        "items.attachments",
        "items.base",
        "items.datasets",
        "items.evaluation",
        "items.lint",
        "items.nodes",
        "items.request",
        "items.submission",
        "plugin",
    },
    "tiktoken": {"reading.tokenizer"},
}
MOST_LINES = 300
TABLES = {"options"}  # may be longer, because a table is read in one place
HEAVY = {
    *("PIL", "aiohttp", "distributed", "jinja2", "jsonschema", "jsonschema_rs", "openai", "rich"),
    "tiktoken",
}
DOORS = ["", "cli", "plugin"]
# Modules that `vft check` of an ordinary file does not import; each took at least 2 ms of 100 ms.
NEEDLESS = HEAVY - {"PIL", "jsonschema_rs"} | {
    "PIL.PngImagePlugin",
    "PIL.WebPImagePlugin",
    "asyncio",
    "concurrent.futures",
    "hashlib",
    "importlib.metadata",
    "multiprocessing",
    "shutil",
    "tempfile",
    "urllib.request",
}


def name_of(path: Path) -> str:
    """Return the name of the module at *path* below the package: "" is the package itself."""
    parts = path.relative_to(SRC / PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted((SRC / PACKAGE).rglob("*.py"))}


class Seen(enum.Flag):
    """Which imports of a module count."""

    START = enum.auto()  # what runs when the module is imported
    LATE = enum.auto()  # what runs when a function does
    TYPES = enum.auto()  # what only a type checker sees


ALL = Seen.START | Seen.LATE | Seen.TYPES


def imports(module: str, seen: Seen = ALL) -> list[str]:
    """Return the full names that *module* imports, as far as they are *seen*."""
    return [name for name, when in all_imports(module) if when in seen]


@cache
def all_imports(module: str) -> list[tuple[str, Seen]]:
    """Return the full names that *module* imports, each with when that is."""
    return list(read_imports(module))


def read_imports(module: str) -> Iterator[tuple[str, Seen]]:
    path = MODULES[module]
    package = [PACKAGE, *module.split(".")] if module else [PACKAGE]
    if path.name != "__init__.py":
        package.pop()
    nodes = [(ast.parse(path.read_bytes()), Seen.START)]
    for node, when in nodes:
        inner = when
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inner = Seen.LATE
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            inner = Seen.TYPES
        nodes += ((child, inner) for child in ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from ((alias.name, when) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            origin = ".".join([*base, node.module] if node.module else base)
            for alias in node.names:
                named = f"{origin}.{alias.name}"
                yield (named if named.removeprefix(f"{PACKAGE}.") in MODULES else origin), when


def own_imports(module: str, seen: Seen = ALL) -> set[str]:
    """Return the modules of the package that *module* imports."""
    names = {name for name in imports(module, seen) if f"{name}.".startswith(f"{PACKAGE}.")}
    return {name.removeprefix(PACKAGE).removeprefix(".") for name in names}


def unit_of(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("module", [module for module in MODULES if module])
def test_imports_go_down(module: str) -> None:
    unit = unit_of(module)
    assert unit in FLOOR, f"{unit} stands on no floor: give it one in {Path(__file__).name}"

    upward = {
        other
        for other in own_imports(module)
        if FLOOR.get(unit_of(other), len(FLOORS)) >= FLOOR[unit]
        and unit_of(other) != unit
        and not {unit, unit_of(other)} <= FLOORS[0]
    }

    assert not upward


def test_imports_form_no_circle() -> None:
    """A late import may run early, so late imports must not form circles either."""
    graph = {module: own_imports(module, Seen.START | Seen.LATE) for module in MODULES}

    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_late_imports_are_seen() -> None:
    assert "submission.server" in own_imports("runs.submission", Seen.LATE)
    assert "submission.server" not in own_imports("runs.submission", Seen.START)
    assert "runs.lint" in own_imports("", Seen.TYPES)
    assert "runs.lint" not in own_imports("", Seen.START | Seen.LATE)


def test_class_name_exists_once() -> None:
    homes: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(module)

    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}


@pytest.mark.parametrize("module", [module for module in MODULES if module not in TABLES])
def test_file_is_short(module: str) -> None:
    assert len(MODULES[module].read_bytes().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("library", ONLY_IMPORTED_BY)
def test_one_door_for_each_library(library: str) -> None:
    importers = {
        module for module in MODULES if any(name.partition(".")[0] == library for name in imports(module))
    }

    assert importers <= ONLY_IMPORTED_BY[library]


@pytest.mark.parametrize("module", DOORS)
def test_doors_import_nothing_heavy(module: str) -> None:
    started = {name.partition(".")[0] for name in imports(module, Seen.START)}

    assert not started & HEAVY


@pytest.mark.parametrize(
    ("statement", "present"),
    [
        ("import pytest_vft", "sys"),
        ("import pytest_vft; dir(pytest_vft)", "sys"),
        ("import pytest_vft.plugin", "pytest"),
        ("import pytest_vft.cli", "sys"),
    ],
)
def test_start_loads_nothing(statement: str, present: str) -> None:
    program = f"""
import sys, {present}
before = set(sys.modules)
{statement}
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(loaded - set(sys.stdlib_module_names) - {{"pytest_vft"}}))
"""

    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()

    assert not found


def test_check_loads_what_it_needs(tmp_path: Path) -> None:
    data = tmp_path / "train.jsonl"
    write_jsonl(data, [build_example("What is it?", "A square.", data_url("jpeg 16x16 rgb"))])
    program = f"""
import sys
before = set(sys.modules)
from pytest_vft.cli import main
main(["check", {str(data)!r}])
print(*(set(sys.modules) - before))
"""

    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path
    ).stdout
    loaded = set(output.splitlines()[-1].split())

    assert {"PIL.JpegImagePlugin", "jsonschema_rs", "pytest_vft.report.text"} <= loaded
    assert not loaded & NEEDLESS


def test_public_names_are_those_that_type_checkers_see() -> None:
    seen = {
        alias.name: node.module
        for node in ast.walk(ast.parse(MODULES[""].read_bytes()))
        if isinstance(node, ast.ImportFrom) and node.module.startswith(PACKAGE)
        for alias in node.names
    }

    assert seen == {name: f"{PACKAGE}.{module}" for name, module in pytest_vft._MODULE_OF.items()}  # noqa: SLF001 - its own test
    assert pytest_vft.__all__ == sorted([*seen, "__version__"])


@pytest.mark.parametrize("name", pytest_vft.__all__)
def test_public_name_resolves(name: str) -> None:
    assert getattr(pytest_vft, name) is not None


def test_public_names_are_shown() -> None:
    assert set(pytest_vft.__all__) <= set(dir(pytest_vft))


def test_misspelt_public_name_is_named() -> None:
    with pytest.raises(AttributeError, match="encode_imagge"):
        _ = pytest_vft.encode_imagge


@pytest.mark.parametrize("name", pytest_vft.__all__)
def test_no_module_hides_a_public_name(name: str) -> None:
    """Importing a module binds its name in the package."""
    assert name not in {unit_of(module) for module in MODULES}
