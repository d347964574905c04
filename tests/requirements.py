"""The packages that a package needs, in this environment."""

from __future__ import annotations

from importlib.metadata import distribution, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def needed_by(package: str) -> set[str]:
    """Return the names of *package* and of all packages that it needs here, directly or not."""
    found: set[tuple[str, str]] = set()
    waiting = [(package, "")]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        for requirement in map(Requirement, requires(name) or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                inner = canonicalize_name(requirement.name)
                waiting += [(inner, one) for one in ("", *requirement.extras)]
    return {name for name, _ in found}


def link_packages(names: set[str], folder: Path) -> None:
    """Link the packages *names* of this environment into *folder*, which becomes a place for imports."""
    folder.mkdir()
    for name in names:
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (folder / top).exists():  # a namespace that two packages share
                (folder / top).symlink_to(Path(found.locate_file(top)))
