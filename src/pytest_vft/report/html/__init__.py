"""The report as a page with images."""

from __future__ import annotations

from pytest_vft.model import Report
from pytest_vft.report.layout import DEFAULT, Display


def render_html(report: Report, display: Display = DEFAULT) -> str:
    """Return *report* as a page in one file. Examples are read again from the files that were checked."""
    from pytest_vft.report.html.check import check_page  # noqa: PLC0415 - other pages do not need it
    from pytest_vft.report.html.page import one_file  # noqa: PLC0415 - as above

    return one_file(check_page(report, display))
