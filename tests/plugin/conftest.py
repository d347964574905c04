from __future__ import annotations

import jsonschema  # noqa: F401 - its C extension can be loaded once only, and pytester forgets modules
import pytest

import pytest_vft.items.datasets  # noqa: F401 - as above, for what it imports

from .project import Project


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("COLUMNS", "80")
    return Project(pytester)
