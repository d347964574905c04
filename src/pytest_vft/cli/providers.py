"""`vft providers`: who takes a dataset, and why not the others."""

from __future__ import annotations

import argparse
from itertools import chain

from pytest_vft.checking.processes import cluster
from pytest_vft.cli.output import print_text, text_width
from pytest_vft.cli.stdin import STDIN
from pytest_vft.compatibility import ProviderComparison
from pytest_vft.errors import UsageError
from pytest_vft.report.layout import Display
from pytest_vft.report.progress import tell_wait, watching
from pytest_vft.runs.compare import compare


def providers(arguments: argparse.Namespace) -> int:
    """Print the verdicts of the providers; return 0, because a comparison is no gate."""
    splits = (arguments.data, arguments.validation_data, arguments.test_data)
    if STDIN in chain(arguments.files, *filter(None, splits)):
        raise UsageError(
            "vft providers reads files, which its next step names: write standard input to a file, such as "
            "train.jsonl, and give its name"
        )
    with cluster(arguments.cluster, tell_wait) as executor, watching() as watch:
        comparison = compare(
            vars(arguments),
            arguments.files,
            data=arguments.data or (),
            validation=arguments.validation_data or (),
            test=arguments.test_data or (),
            watch=watch,
            executor=executor,
        )
    print_text(_render(comparison, arguments), styled=arguments.format == "text")
    return 0


def _render(comparison: ProviderComparison, arguments: argparse.Namespace) -> str:
    # Each module is imported for its format only.
    if arguments.format == "json":
        from pytest_vft.report.matrix_json import render_matrix_json  # noqa: PLC0415 - as above

        return render_matrix_json(comparison)
    if arguments.format == "markdown":
        from pytest_vft.report.matrix_markdown import render_matrix_markdown  # noqa: PLC0415 - as above

        return render_matrix_markdown(comparison, Display(arguments.max_shown))
    if arguments.format == "html":
        from pytest_vft.report.html.matrix import render_matrix_html  # noqa: PLC0415 - as above

        return render_matrix_html(comparison, Display(arguments.max_shown))
    from pytest_vft.report.matrix_text import render_matrix_text  # noqa: PLC0415 - as above

    return render_matrix_text(comparison, Display(arguments.max_shown, text_width()))
