"""`vft eval`: judge the predictions of a model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from pytest_vft.cli.output import print_text
from pytest_vft.errors import UsageError
from pytest_vft.evaluation.live import LiveProgress
from pytest_vft.naming import naming_for
from pytest_vft.options import OPTIONS
from pytest_vft.report.batch import render_batch
from pytest_vft.report.evaluation import render_results_as, result_targets, write_results
from pytest_vft.report.evaluation_text import progress_line
from pytest_vft.report.layout import Display
from pytest_vft.runs.batch import write_batch
from pytest_vft.runs.evaluation_options import EvaluationRequest, read_request
from pytest_vft.runs.live import LiveTally
from pytest_vft.runs.option_values import merge_values


def evaluate(arguments: argparse.Namespace) -> int:
    """Judge predictions, print and write the verdicts; return the exit code."""
    if arguments.write_batch:
        return _write_batch(arguments)
    if arguments.predictions is None:
        raise UsageError("no file of predictions given; see 'vft eval --help'")
    if arguments.test is None and (arguments.data_format or arguments.image_root):
        raise UsageError("--data-format and --image-root need the test split: --test=FILE")
    targets = result_targets(arguments.report or ())
    display = Display(arguments.max_shown, images=not arguments.no_images)
    with naming_for("command"):
        request = read_request(arguments.predictions, vars(arguments))
        results, commands = request.run(on_answer=_progress(request))
        for target in targets:
            write_results(results, commands, target, display)
        print_text(render_results_as(arguments.format, results, commands, display))
    return 2 if results.errors else 0 if results.ok else 1


def _write_batch(arguments: argparse.Namespace) -> int:
    """Write the input of a batch, and print what to do with it."""
    defaults = {
        option.name.replace("-", "_"): option.default for option in OPTIONS if "eval" in option.commands
    }
    with naming_for("command"):
        given = {
            name: value
            for name, value in merge_values(vars(arguments)).items()
            if name != "name" and value != defaults.get(name)
        }
        print_text(render_batch(write_batch(given.pop("write_batch"), given)))
    return 0


def _progress(request: EvaluationRequest) -> Callable[[LiveProgress], None]:
    """Return a function that shows the progress of a live run on stderr: in tenths without a terminal."""
    tally = LiveTally(request.scoring, request.keys.field)
    terminal = sys.stderr.isatty()

    def show(progress: LiveProgress) -> None:
        tally.add(progress)
        last = progress.answered == progress.total
        line = progress_line(progress.answered, progress.total, tally.right, tally.scored)
        if terminal:
            print(f"\r{line}", end="\n" if last else "", file=sys.stderr, flush=True)
        elif last or progress.answered % max(1, progress.total // 10) == 0:
            print(line, file=sys.stderr)

    return show
