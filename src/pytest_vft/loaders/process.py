"""A provider's own reader, run on files in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from pytest_vft.compatibility import LoaderResult

_LONGEST = 1_800  # seconds
# No library asks its hub for anything.
_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def run_loader(loader: str, files: Sequence[str], roots: Sequence[str]) -> LoaderResult:
    """Return what the reader *loader*, one of script.READERS, says of *files*; never raises for data.

    *roots* are folders of local images besides that of each file. The reader is code of others: it runs in a
    process of its own, with a search path that does not have the current folder.
    """
    job = json.dumps({"loader": loader, "files": list(files), "roots": list(roots)})
    command = [sys.executable, "-P", "-m", "pytest_vft.loaders.script"]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            input=job.encode(),
            capture_output=True,
            env={**os.environ, **_OFFLINE},
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return LoaderResult(loader, problem=f"did not end within {_LONGEST:,} seconds")
    try:
        return LoaderResult(**json.loads(done.stdout))
    except (ValueError, TypeError):
        return LoaderResult(loader, problem=f"ended with exit code {done.returncode} and without an answer")
