"""The `vft` command: check, show, rules, explain.

Exit codes: 0 clean, 1 findings that fail the run, 2 usage or internal error.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vft.errors import UsageError, VftError
from pytest_vft.model import DEPTHS, SEVERITIES

if TYPE_CHECKING:
    from pytest_vft.api import Settings

_LATER = ("submit", "eval")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv* and return its exit code."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except VftError as error:
        print(f"vft: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, head or less, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("vft: interrupted", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vft", description="Tell whether a vision fine-tuning dataset is fit to be trained on."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    check = commands.add_parser("check", help="check files and say what is wrong with them")
    check.set_defaults(command=_check)
    check.add_argument("files", nargs="*", metavar="FILE", help="JSONL files, folders or globs (train split)")
    _add_run_options(check)
    check.add_argument("--format", choices=("text", "json"), default="text", help="of the report on stdout")
    check.add_argument(
        "--report", action="append", default=[], metavar="FORMAT:FILE", help="also write the report to a file"
    )
    check.add_argument(
        "--max-shown", type=int, default=10, metavar="N", help="findings shown a rule (0: all; default 10)"
    )

    show = commands.add_parser("show", help="show one example for human eyes")
    show.set_defaults(command=_show)
    show.add_argument("place", metavar="FILE:LINE")
    show.add_argument("--save", metavar="DIR", type=Path, help="write its pictures into this folder")
    _add_run_options(show, files=False)

    rules = commands.add_parser("rules", help="list the rules; test or document rule files")
    rules.set_defaults(command=_rules)
    _add_run_options(rules, files=False)
    rules.add_argument(
        "--test", metavar="DIR", type=Path, help="run the cases and mutants of the rules in DIR"
    )
    rules.add_argument("--write-pages", metavar="DIR", type=Path, help="write a page for each rule into DIR")

    explain = commands.add_parser("explain", help="explain a rule")
    explain.set_defaults(command=_explain)
    explain.add_argument("rule", metavar="RULE")
    _add_run_options(explain, files=False)

    for name in _LATER:
        later = commands.add_parser(name, help="not in this version yet")
        later.set_defaults(command=_not_yet, name=name)
        later.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


class _Version(argparse.Action):
    """Reads the version only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import pytest_vft  # noqa: PLC0415 - reading metadata takes 20 ms

        print(f"vft {pytest_vft.__version__}")
        parser.exit()


def _add_run_options(parser: argparse.ArgumentParser, *, files: bool = True) -> None:
    """Add what a run is asked to do; every option here is --vft-OPTION under pytest."""
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help="vft.toml or pyproject.toml (default: found upwards)")
    add("--provider", metavar="NAME", help="whose limits hold (default: openai)")
    add("--model", metavar="NAME", help="the model to be trained")
    add(
        "--select", action="append", metavar="RULES", help="only these: ids, scopes or globs, comma-separated"
    )
    add("--ignore", action="append", default=[], metavar="RULES", help="not these")
    if not files:
        return
    add("--data", action="append", default=[], metavar="PATH", help="the same as FILE")
    add(
        "--validation-data", action="append", default=[], metavar="PATH", help="files of the validation split"
    )
    add("--test-data", action="append", default=[], metavar="PATH", help="files of the test split")
    add("--fail-on", choices=SEVERITIES, default="error", help="least severity that fails (default: error)")
    add("--require-checked", action="store_true", help="fail for what could not be checked, too")
    add("--depth", choices=DEPTHS, default="auto", help="how much of a picture is decoded (default: auto)")
    add("--offline", action="store_true", help="fetch no URLs (none are fetched in this version)")
    for option in ("--allow-private", "--no-cache"):
        add(option, action="store_true", help="has no effect in this version")
    for option in ("--jobs", "--base-url"):
        add(option, metavar="X", help="has no effect in this version")


def _settings(arguments: argparse.Namespace) -> Settings:
    from pytest_vft.api import Settings  # noqa: PLC0415 - `vft --help` needs none of it
    from pytest_vft.config import load_config  # noqa: PLC0415 - as above

    return Settings(
        config=load_config(arguments.config),
        provider_id=arguments.provider,
        model_name=arguments.model,
        select=None if arguments.select is None else _patterns(arguments.select),
        ignore=_patterns(arguments.ignore),
    )


def _patterns(given: Sequence[str]) -> list[str]:
    return [pattern.strip() for value in given for pattern in value.split(",") if pattern.strip()]


def _check(arguments: argparse.Namespace) -> int:
    import time  # noqa: PLC0415 - as above
    from dataclasses import replace  # noqa: PLC0415 - as above

    from pytest_vft.api import run  # noqa: PLC0415 - as above
    from pytest_vft.report.formats import parse_targets, render, write  # noqa: PLC0415 - as above
    from pytest_vft.sources import find_sources  # noqa: PLC0415 - as above

    started = time.perf_counter()
    _say_what_has_no_effect(arguments)
    targets = parse_targets(arguments.report)
    settings = _settings(arguments)
    sources = find_sources(
        settings.config,
        [*arguments.files, *arguments.data],
        validation=arguments.validation_data,
        test=arguments.test_data,
    )
    if not sources:
        raise UsageError("no files: name some, or list them under [tool.vft.data]")
    report = run(
        replace(
            settings,
            sources=sources,
            depth=arguments.depth,
            fail_on=arguments.fail_on,
            require_checked=arguments.require_checked,
        )
    )
    for target in targets:
        write(report, target)
    seconds = time.perf_counter() - started
    _print(render(report, arguments.format, most_shown=arguments.max_shown, seconds=seconds))
    return 0 if report.ok else 1


def _say_what_has_no_effect(arguments: argparse.Namespace) -> None:
    for name in ("jobs", "base_url", "allow_private", "no_cache"):
        if getattr(arguments, name):
            print(f"vft: --{name.replace('_', '-')} has no effect in this version", file=sys.stderr)


def _show(arguments: argparse.Namespace) -> int:
    from pytest_vft.report.example import render_example  # noqa: PLC0415 - as above
    from pytest_vft.viewing import read_example, save_pictures  # noqa: PLC0415 - as above

    path, _, line = arguments.place.rpartition(":")
    if not path or not line.isdecimal() or int(line) < 1:
        raise UsageError(f"{arguments.place}: want FILE:LINE, as in train.jsonl:12")
    view = read_example(path, int(line), _settings(arguments))
    _print(render_example(view))
    if arguments.save:
        for saved in save_pictures(view, arguments.save):
            print(saved)
    return 0


def _rules(arguments: argparse.Namespace) -> int:
    from pytest_vft.catalogue.load import load_rules  # noqa: PLC0415 - as above
    from pytest_vft.catalogue.pages import write_pages  # noqa: PLC0415 - as above
    from pytest_vft.report.rules import render_proof, render_rules  # noqa: PLC0415 - as above

    settings = _settings(arguments)
    if arguments.test:
        from pytest_vft.checking.prove import prove  # noqa: PLC0415 - as above

        proofs = prove(load_rules(arguments.test), settings.catalogue, settings.provider)
        print(render_proof(proofs), end="")
        return 0 if all(proof.holds for proof in proofs) else 1
    if arguments.write_pages:
        for page in write_pages(settings.catalogue, arguments.write_pages):
            print(page)
        return 0
    _print(render_rules(settings.rules, settings.reasons))
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from pytest_vft.catalogue.pages import page  # noqa: PLC0415 - as above
    from pytest_vft.text import nearest  # noqa: PLC0415 - as above

    settings = _settings(arguments)
    if arguments.rule not in settings.catalogue:
        known = nearest(arguments.rule, settings.catalogue)
        raise UsageError(f"no rule {arguments.rule!r}{known}; 'vft rules' lists them")
    print(page(settings.catalogue[arguments.rule]), end="")
    return 0


def _not_yet(arguments: argparse.Namespace) -> int:
    raise UsageError(f"'vft {arguments.name}' is not in this version yet")


def _print(text: str) -> None:
    """Print *text*, in colour on a terminal."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        sys.stdout.write(text)
        return
    from rich.console import Console  # noqa: PLC0415 - 40 ms, for a terminal only

    from pytest_vft.report.colour import highlighted  # noqa: PLC0415 - as above

    Console(highlight=False).print(highlighted(text), end="", soft_wrap=True)


if __name__ == "__main__":
    raise SystemExit(main())
