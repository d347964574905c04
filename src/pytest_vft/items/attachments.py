"""Images of failed items, and their providers, for pytest-html and allure-pytest, if they write a report."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import pytest

from pytest_vft.model import Finding, Report, RuleResult
from pytest_vft.text import safe

_TYPE, _EXTENSION = "image/webp", "webp"


def attach_images(
    config: pytest.Config,
    outcome: pytest.TestReport,
    report: Report,
    rule: RuleResult,
    findings: Sequence[Finding],
) -> None:
    """Add the images of examples that fail *rule* to *outcome*, the result of an item, and to allure.

    *findings* are those of all rules on the file of the item, or on all files.
    """
    into_html = bool(config.getoption("htmlpath", None))
    into_allure = _writes_allure(config)
    if not into_html and not into_allure:
        return
    from pytest_vft.report.html.item import item_images  # noqa: PLC0415 - for other plugins only

    for name, thumbnail in item_images(report, rule, findings):
        if into_html:
            _attach_to_html(outcome, safe(name, None), thumbnail.data)
        if into_allure:
            import allure  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415 - may be missing

            allure.attach(thumbnail.data, name=safe(name, None), attachment_type=_TYPE, extension=_EXTENSION)


def name_provider(config: pytest.Config, provider: str) -> None:
    """Give the result of the current item in allure the parameter *provider*.

    Allure drops what follows a bracket in a name, so it would take one rule for two providers for a rerun.
    """
    if _writes_allure(config):
        import allure  # noqa: PLC0415 - as above

        allure.dynamic.parameter("provider", provider)


def _writes_allure(config: pytest.Config) -> bool:
    return config.pluginmanager.hasplugin("allure_listener")


def _attach_to_html(outcome: Any, name: str, data: bytes) -> None:
    from pytest_html import extras  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415 - as above

    image = extras.image(b64encode(data).decode(), name=name, mime_type=_TYPE, extension=_EXTENSION)
    outcome.extras = [*getattr(outcome, "extras", ()), image]
