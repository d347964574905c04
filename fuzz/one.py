"""Run one target under atheris: `python fuzz/one.py TARGET [LIBFUZZER_OPTION...]`."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))

with atheris.instrument_imports(include=["pytest_vft"]):
    import targets

if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, lambda data: targets.run_once(name, data))
    atheris.Fuzz()
