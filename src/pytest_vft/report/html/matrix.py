"""The page that compares providers."""

from __future__ import annotations

from collections import Counter

from pytest_vft.compatibility import ProviderComparison
from pytest_vft.model import FileResult
from pytest_vft.report.html.page import Page, one_file
from pytest_vft.report.layout import DEFAULT, Display
from pytest_vft.report.matrix_text import why
from pytest_vft.report.text import data_format
from pytest_vft.text import count


def render_matrix_html(comparison: ProviderComparison, display: Display = DEFAULT) -> str:
    """Return *comparison* as a page in one file: a row for each provider with verdict and reasons."""
    names = ", ".join(file.path for file in comparison.files[:3])
    files = [(file.path, _details(file)) for file in comparison.files]
    rows = [(one, why(comparison, one, display.most_shown)) for one in comparison.providers]
    sentence = _sentence(Counter(one.verdict for one in comparison.providers))
    values = {
        "title": f"{names}: {sentence}",
        "sentence": sentence,
        "files": files,
        "rows": rows,
        "notes": comparison.notes,
    }
    return one_file(Page("providers.html", values, {}))


def _details(file: FileResult) -> str:
    numbers = f"{count(file.examples, 'example')}, {count(file.images, 'image')}"
    return f"{data_format(file)}{file.split}, {numbers}"


def _sentence(verdicts: Counter[str]) -> str:
    """Return the number of *verdicts* of each kind in a sentence."""
    take = f"{verdicts['takes']:,} of {count(verdicts.total(), 'provider')} can use the whole dataset"
    others = (("loses", "would lose a part"), ("refuses", "would refuse it"), ("unknown", "unknown"))
    return ", ".join([take, *(f"{verdicts[name]:,} {words}" for name, words in others if verdicts[name])])
