"""`vft eval`: judge the predictions of a model."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pytest_vft.cli.parser import Commands, number, one_of, print_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_vft.evaluation.live import LiveProgress
    from pytest_vft.runs.evaluation_options import EvaluationRequest

# Every option here is --vft-eval-OPTION under pytest, --base-url there --vft-base-url.
_OPTIONS = (
    ("test", "FILE", "the test split that the predictions answer"),
    ("min-accuracy", "N", "least share of right answers: 0.9, or closed=0.9,open=0.6"),
    ("baseline", "FILE", "predictions of another model: fail when those of FILE are worse"),
    ("margin", "N", "by how much they may be worse (default: 0)"),
    ("alpha", "N", "below which p of McNemar's test they are (default: 0.05)"),
    ("confidence", "N", "ask for a proof at this level, as 0.95"),
    ("metric", "NAME", "exact, normalised_exact, token_f1 or judge (default: by kind)"),
    ("normalise", "NAME", "none, text, markdown or squad (default: text)"),
    ("min-f1", "N", "the token F1 from which an answer is right (default: 0.5)"),
    ("choices", "LIST", "actual answers, besides Yes and No, of closed questions"),
    ("by", "KEY", "each group by this key must reach the minimum, too"),
    ("min-n", "N", "answers from which a group counts (default: 20)"),
    ("ids", "IDS", "only these questions; @FILE: those listed there"),
    ("keys", "PAIRS", "keys of the predictions: id=KEY,predicted=KEY,actual=KEY"),
    ("id-pattern", "REGEX", r"finds the id in a question (default: \[(\d+)\])"),
    ("judge", "MODEL", "let this model rate open answers (network)"),
    ("judge-url", "URL", "where the judge is (default: as --base-url)"),
    ("passing", "RATINGS", "ratings that are right (default: Very Similar,Mostly Similar)"),
    ("max-ungraded", "N", "share of answers that the judge may leave ungraded (default: 0.01)"),
    ("live", "MODEL", "ask this model first; FILE keeps its answers (network)"),
    ("base-url", "URL", "where models are (default: OPENAI_BASE_URL, else OpenAI)"),
    ("concurrency", "N", "requests at a time (default: 8)"),
    ("timeout", "SECONDS", "of a request (default: 60)"),
    ("retries", "N", "of a request (default: 5)"),
    ("max-requests", "N", "questions asked in one run"),
    ("max-rate", "N", "questions a minute"),
    ("max-cost", "USD", "dollars spent in one run, at --prices"),
    ("prices", "IN,OUT", "dollars for a million tokens of prompts and of answers"),
)


def add(commands: Commands) -> None:
    """Add the command."""
    command = commands.add("eval", "judge the predictions of a model", _eval)
    command.add_argument("predictions", metavar="FILE", help="JSONL of id, predicted and actual answer")
    for name, metavar, what in _OPTIONS:
        command.add_argument(f"--{name}", metavar=metavar, help=what)
    command.add_argument("--judge-images", action="store_true", help="the judge sees the images, too")
    command.add_argument(
        "--judge-itself", action="store_true", help="the judge may be the model whose answers it rates"
    )
    command.add_argument(
        "--format", **one_of("text", "json"), default="text", help="of the verdicts on stdout (default: text)"
    )
    command.add_argument(
        "--report", action="append", default=[], metavar="FORMAT:FILE", help="also write them to a file"
    )
    command.add_argument(
        "--max-shown", type=number, default=10, metavar="N", help="wrong answers shown (0: all; default: 10)"
    )


def _eval(arguments: argparse.Namespace) -> int:
    from pytest_vft.report.evaluation import (  # noqa: PLC0415 - as above
        render_results_as,
        result_targets,
        write_results,
    )
    from pytest_vft.runs.evaluation_options import read_request  # noqa: PLC0415 - `vft --help` needs none of it

    targets = result_targets(arguments.report)
    request = read_request(arguments.predictions, vars(arguments))
    results, commands = request.run(on_answer=_progress(request))
    for target in targets:
        write_results(results, commands, target, arguments.max_shown)
    print_text(render_results_as(arguments.format, results, commands, arguments.max_shown))
    return 2 if results.errors else 0 if results.ok else 1


def _progress(request: EvaluationRequest) -> Callable[[LiveProgress], None]:
    """Return what says on stderr how far a live run is: on a terminal each time, else every tenth."""
    from pytest_vft.report.evaluation_text import progress_line  # noqa: PLC0415 - as above
    from pytest_vft.runs.live import LiveTally  # noqa: PLC0415 - as above

    tally = LiveTally(request.scoring)
    terminal = sys.stderr.isatty()

    def show(progress: LiveProgress) -> None:
        tally.add(progress)
        last = progress.answered == progress.of
        line = progress_line(progress.answered, progress.of, tally.right, tally.scored)
        if terminal:
            print(f"\r{line}", end="\n" if last else "", file=sys.stderr, flush=True)
        elif last or progress.answered % max(1, progress.of // 10) == 0:
            print(line, file=sys.stderr)

    return show
