"""The files that changed since a revision, by git."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pytest_vft.errors import UsageError
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.sources import SUFFIXES, file_identity


def changed_files(revision: str, folder: str = ".") -> list[str]:
    """Return the paths of the files that changed in the repository of *folder*, relative to *folder*.

    These are the files that differ from the point at which the current branch left *revision*, whether
    committed or not, and new files that git does not ignore; not those that no longer exist.
    Raises UsageError if git cannot tell.
    """
    if revision.startswith("-"):
        raise UsageError(f"since {revision}: expected a revision of git, such as origin/main")
    (root,) = _git("rev-parse", "--show-toplevel", folder=folder, failure="there is no git repository here")
    (commit,) = _git(
        *("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"),
        folder=folder,
        failure=f"git does not know the revision {revision}; fetch it first",
    )
    (base,) = _git(
        *("merge-base", commit, "HEAD"),
        folder=folder,
        failure=f"{revision} and HEAD have no common commit; fetch the history (GitHub: fetch-depth: 0)",
    )
    differing = _git(
        *("diff", "--name-only", "--no-ext-diff", "--no-renames", "--diff-filter=d", "-z", base, "--"),
        folder=root,
        failure="git diff failed",
    )
    new = _git("ls-files", "--others", "--exclude-standard", "-z", folder=root, failure="git ls-files failed")
    paths = (os.path.join(root, name) for name in (*differing, *new))  # noqa: PTH118 - as git writes them
    return [os.path.relpath(path, folder) for path in paths if os.path.isfile(path)]  # noqa: PTH113 - as above


def unknown_to_git(paths: Iterable[str], folder: str = ".") -> list[str]:
    """Return the files at *paths* that git cannot compare.

    These are ignored files, and those of submodules and outside the repository of *folder*.
    Raises UsageError if git cannot tell.
    """
    files = [path for path in paths if os.path.isfile(path)]  # noqa: PTH113 - paths as the user wrote them
    if not files:
        return []
    (root,) = _git("rev-parse", "--show-toplevel", folder=folder, failure="there is no git repository here")
    names = _git("ls-files", "-z", folder=root, failure="git ls-files failed")
    known = {file_identity(os.path.join(root, name)) for name in names}  # noqa: PTH118 - as git writes them
    return [path for path in files if file_identity(path) not in known]


def ignored_files(folder: str = ".") -> list[str]:
    """Return the files in *folder* that git ignores, relative to *folder*; a folder, ending with /, is whole.

    Raises UsageError if git cannot tell.
    """
    return _git(
        *("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"),
        folder=folder,
        failure="git ls-files failed",
    )


def only_changed(groups: Iterable[Settings], changed: Iterable[str]) -> tuple[Settings, ...]:
    """Return the files of *groups* that are among the files *changed*."""
    identities = {file_identity(path) for path in changed}
    limited = (
        replace(
            settings,
            sources=tuple(one for one in settings.sources if file_identity(one.path) in identities),
        )
        for settings in groups
    )
    return tuple(settings for settings in limited if settings.sources)


def datasets(changed: Iterable[str]) -> list[str]:
    """Return the paths of *changed* that a search of the current folder would find."""
    return [
        path
        for path in changed
        if path.lower().endswith(SUFFIXES) and not any(part.startswith(".") for part in Path(path).parts)
    ]


def _git(*arguments: str, folder: str, failure: str) -> list[str]:
    """Return what git prints, split at NUL characters. Raises UsageError, with *failure*, if git fails."""
    import subprocess  # noqa: PLC0415 - takes 5 ms to import

    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)  # noqa: S603 - the user's git
    except OSError as error:
        raise UsageError(f"since: git cannot be run: {error.strerror}") from None
    if done.returncode:
        said = os.fsdecode(done.stderr).strip().rpartition("\n")[2]
        raise UsageError(f"since: {failure}{f' ({said})' if said else ''}")
    return [name for name in os.fsdecode(done.stdout).removesuffix("\n").split("\0") if name]
