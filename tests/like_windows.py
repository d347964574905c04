"""Runs `vft` and pytest in a Python that looks to pytest_vft like one on Windows, as far as Linux can.

The argument is JSON: a list of command lines. To pytest_vft,
- the names of os and signal, and the modules, that Windows does not have are missing;
- sys.platform is win32, os.name is nt, and there are no descriptors of folders;
- a folder other-drive is on another drive, to which no relative path leads;
- a file that is open can be neither renamed nor removed, and no file has a name that Windows refuses;
- a text file without a stated encoding is an error.
Modules of others see the system as it is.
"""

from __future__ import annotations

import ast
import builtins
import errno
import fcntl
import importlib
import json
import os
import pkgutil
import re
import signal
import sys
import warnings
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import mypy
import pytest

MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
REFUSED = re.compile(r'[<>:"|?*]|[ .]$')  # https://learn.microsoft.com/windows/win32/fileio/naming-a-file
USED = "The process cannot access the file because it is being used by another process"


def unix_names(stub: str) -> set[str]:
    """Return the names that a stub of typeshed, which mypy contains, has for other systems only."""
    tree = ast.parse((Path(mypy.__file__).parent / "typeshed/stdlib" / stub).read_text(encoding="utf-8"))
    everywhere, elsewhere = set(), set()

    def collect(statements: list[ast.stmt], found: set[str]) -> None:
        for one in statements:
            if isinstance(one, ast.If) and "sys.platform" in (test := ast.unparse(one.test)):
                on_windows = test == "sys.platform == 'win32'"
                collect(one.body, found if on_windows else elsewhere)
                collect(one.orelse, elsewhere if on_windows else found)
            elif isinstance(one, ast.If):
                collect([*one.body, *one.orelse], found)
            elif isinstance(one, ast.FunctionDef | ast.ClassDef):
                found.add(one.name)
            elif isinstance(one, ast.AnnAssign | ast.Assign):
                targets = one.targets if isinstance(one, ast.Assign) else [one.target]
                found.update(target.id for target in targets if isinstance(target, ast.Name))
            elif isinstance(one, ast.ImportFrom):
                found.update(alias.asname or alias.name for alias in one.names)

    collect(tree.body, everywhere)
    return elsewhere - everywhere


class Like(ModuleType):
    """A module of the standard library with other values of some names, and without others."""

    def __init__(self, real: ModuleType, without: set[str] = frozenset(), **values: Any) -> None:
        super().__init__(real.__name__)
        vars(self).update(values, _real=real, _without=without)

    def __getattr__(self, name: str) -> Any:
        if name in self._without:
            raise AttributeError(f"Windows has no {self.__name__}.{name}")
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._real, name, value)


def without_folders(function: Any) -> Any:
    """Return *function* of os without the argument dir_fd."""

    def call(*arguments: Any, dir_fd: int | None = None, **more: Any) -> Any:
        if dir_fd is not None:
            raise NotImplementedError("dir_fd unavailable on this platform")
        return function(*arguments, **more)

    return call


def relative_path(path: str, start: str = ".") -> str:
    """Return *path* relative to *start*, like os.path.relpath()."""
    if len({"/other-drive/" in f"{os.path.abspath(one)}/" for one in (path, start)}) > 1:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")
    return os.path.relpath(path, start)


def byte_lock(descriptor: int, mode: int, size: int) -> None:
    """Lock *size* bytes like msvcrt.locking()."""
    assert mode == 2
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, size, 0, os.SEEK_CUR)
    except BlockingIOError:
        raise PermissionError(errno.EACCES, "Permission denied") from None


SPECIAL = {name: without_folders(getattr(os, name)) for name in ("open", "stat", "mkdir", "unlink", "rename")}
LIKE = {
    "os": Like(
        os,
        unix_names("os/__init__.pyi"),
        name="nt",
        supports_dir_fd=set(),
        supports_fd=set(),
        path=Like(os.path, relpath=relative_path),
        **SPECIAL,
    ),
    "signal": Like(signal, unix_names("signal.pyi")),
    "sys": Like(sys, platform="win32"),
    "msvcrt": Like(ModuleType("msvcrt"), LK_NBLCK=2, locking=byte_lock),
}


def import_as_on_windows(name: str, *arguments: Any, **more: Any) -> ModuleType:
    """Import for pytest_vft."""
    top = name.partition(".")[0]
    if top in MODULES:
        raise ModuleNotFoundError(f"Windows has no module {name}", name=name)
    return LIKE[top] if top in LIKE and name in LIKE else builtins.__import__(name, *arguments, **more)


class Loader(SourceFileLoader):
    """Loads a module of pytest_vft."""

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": import_as_on_windows}
        super().exec_module(module)


class Finder(MetaPathFinder):
    """Finds the modules of pytest_vft."""

    def find_spec(self, name: str, path: Any, _: Any = None) -> Any:
        spec = PathFinder.find_spec(name, path) if name.partition(".")[0] == "pytest_vft" else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec


def open_files() -> Iterator[str]:
    """Yield the paths of the files that are open."""
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:  # that of the folder itself
            continue


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what the file system of Windows refuses."""
    if event in ("os.rename", "os.remove", "os.rmdir"):
        for path in arguments[: 2 if event == "os.rename" else 1]:
            real = os.path.realpath(path)
            if any(one == real or one.startswith(f"{real}/") for one in open_files()):
                raise PermissionError(errno.EACCES, USED, path)
    if event == "open" and isinstance(arguments[0], str):
        for part in Path(arguments[0]).parts:
            if part not in ("/", "..") and REFUSED.search(part):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), arguments[0])


def assert_like_windows() -> None:
    """Assert that the simulation works: a test of what it cannot show would prove nothing."""
    assert {"O_NOFOLLOW", "O_NONBLOCK", "getuid", "fork", "sched_getaffinity"} <= LIKE["os"]._without
    assert {"SIGKILL", "SIGHUP", "setitimer"} <= LIKE["signal"]._without
    with pytest.raises(PermissionError, match=USED), open("open.txt", "x", encoding="utf-8"):
        os.replace("open.txt", "other.txt")
    with pytest.raises(OSError, match="Invalid argument"):
        Path("a:b.txt").touch()


def main() -> None:
    """Run the commands, and print their exit codes."""
    warnings.filterwarnings("error", category=EncodingWarning, module="pytest_vft")
    sys.meta_path.insert(0, Finder())
    import pytest_vft

    for module in pkgutil.walk_packages(pytest_vft.__path__, "pytest_vft."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    from pytest_vft.checking import processes
    from pytest_vft.cli import main as vft

    assert not hasattr(processes.os, "sched_getaffinity")
    sizes = processes._LEAST_FORKED, processes._LEAST_SPAWNED, processes.SHARD_BYTES
    sys.addaudithook(refuse)
    assert_like_windows()
    for command in json.loads(sys.argv[1]):
        print(f"$ {' '.join(command)}", flush=True)
        program, *arguments = command
        processes._LEAST_FORKED, processes._LEAST_SPAWNED, processes.SHARD_BYTES = (
            (0, 0, 1) if "--jobs=2" in command else sizes
        )
        print(vft(arguments) if program == "vft" else int(pytest.main(arguments)), flush=True)
    assert "multiprocessing.popen_spawn_posix" in sys.modules


if __name__ == "__main__":
    main()
