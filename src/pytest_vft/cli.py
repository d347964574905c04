"""The `vft` command: check, show, rules, explain.

Exit codes: 0 clean, 1 findings that fail the run, 2 usage or internal error.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_vft.errors import UsageError, VftError
from pytest_vft.model import DEPTHS, SEVERITIES
from pytest_vft.text import nearest, safe

if TYPE_CHECKING:
    from pytest_vft.api import Settings

_LATER = ("submit", "eval")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv* and return its exit code."""
    try:
        arguments = _parse(sys.argv[1:] if argv is None else argv)
        command: Callable[[argparse.Namespace], int] = arguments.command
        return command(arguments)
    except VftError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        return _fail("interrupted")
    except Exception:  # noqa: BLE001 - Python would exit with 1, which means findings
        import traceback  # noqa: PLC0415 - not needed, we hope

        traceback.print_exc()
        return _fail("this is a fault of vft itself; please report it with the lines above")


def _fail(message: str) -> int:
    print(f"vft: {safe(message, None)}", file=sys.stderr)
    return 2


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are ours: one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see '{self.prog} --help'")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments in *argv*. Raises UsageError, which names the nearest of what is unknown."""
    parser, commands = _parser()
    name = next((text for text in argv if not text.startswith("-")), None)
    if name is not None and name not in commands:
        raise UsageError(f"no command {name!r}{nearest(name, commands)}; see 'vft --help'")
    arguments, others = parser.parse_known_args(argv)
    for text in others:
        option = text.partition("=")[0]
        if option.startswith("-"):
            options = re.findall(r"--[\w-]+", commands[arguments.name].format_usage())
            commands[arguments.name].error(f"no option {option}{nearest(option, options)}")
        if "files" not in arguments:
            commands[arguments.name].error(f"{text!r} is one too many")
        arguments.files.append(text)  # argparse leaves files out that stand behind files and an option
    return arguments


def _parser() -> tuple[_Parser, dict[str, _Parser]]:
    """Return the parser, and those of its commands by name."""
    parser = _Parser(
        prog="vft",
        description="Tell whether a vision fine-tuning dataset is fit to be trained on.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="name", metavar="COMMAND", required=True)

    def add_command(name: str, what: str) -> _Parser:
        return commands.add_parser(name, help=what, description=what, allow_abbrev=False)

    check = add_command("check", "check files and say what is wrong with them")
    check.set_defaults(command=_check)
    check.add_argument("files", nargs="*", metavar="FILE", help="JSONL files, folders or globs (train split)")
    _add_run_options(check)
    check.add_argument(
        "--format", **_one_of("text", "json"), default="text", help="of the report on stdout (default: text)"
    )
    check.add_argument(
        "--report", action="append", default=[], metavar="FORMAT:FILE", help="also write the report to a file"
    )
    check.add_argument(
        "--max-shown",
        type=_number,
        default=10,
        metavar="N",
        help="findings shown a rule (0: all; default: 10)",
    )

    show = add_command("show", "show one example for human eyes")
    show.set_defaults(command=_show)
    show.add_argument("place", metavar="FILE:LINE")
    show.add_argument("--save", metavar="DIR", type=Path, help="write its pictures into this folder")
    _add_run_options(show, files=False)

    rules = add_command("rules", "list the rules; test or document rule files")
    rules.set_defaults(command=_rules)
    _add_run_options(rules, files=False)
    rules.add_argument(
        "--test", metavar="DIR", type=Path, help="run the cases and mutants of the rules in DIR"
    )
    rules.add_argument("--write-pages", metavar="DIR", type=Path, help="write a page for each rule into DIR")

    explain = add_command("explain", "explain a rule")
    explain.set_defaults(command=_explain)
    explain.add_argument("rule", metavar="RULE")
    _add_run_options(explain, files=False)

    for name in _LATER:
        later = add_command(name, "not in this version yet")
        later.set_defaults(command=_not_yet)
        later.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser, commands.choices


def _one_of(*known: str) -> dict[str, Any]:
    """Return the settings of an option that has one of *known* for its value."""

    def read(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f"no {text!r}{nearest(text, known)}, want {' or '.join(known)}")
        return text

    return {"type": read, "metavar": "|".join(known)}


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"it is {text!r}, want a number; 0 means all")
    return int(text)


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
    add(
        "--fail-on",
        **_one_of(*SEVERITIES),
        default="error",
        help="least severity that fails (default: error)",
    )
    add("--require-checked", action="store_true", help="fail for what could not be checked, too")
    add(
        "--depth", **_one_of(*DEPTHS), default="auto", help="how much of a picture is decoded (default: auto)"
    )
    add("--offline", action="store_true", help="fetch no URLs (none are fetched in this version)")
    for option in ("--allow-private", "--no-cache"):
        add(option, action="store_true", help="has no effect in this version")
    for option in ("--jobs", "--base-url"):
        add(option, metavar="X", help="has no effect in this version")


def _settings(arguments: argparse.Namespace) -> Settings:
    from pytest_vft.api import Settings  # noqa: PLC0415 - `vft --help` needs none of it
    from pytest_vft.catalogue.select import listed  # noqa: PLC0415 - as above
    from pytest_vft.config import load_config  # noqa: PLC0415 - as above

    return Settings(
        config=load_config(arguments.config),
        provider_id=arguments.provider,
        model_name=arguments.model,
        select=None if arguments.select is None else listed(arguments.select),
        ignore=listed(arguments.ignore),
    )


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
        write(report, target, most_shown=arguments.max_shown)
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
            _print(f"{safe(saved, None)}\n")
    return 0


def _rules(arguments: argparse.Namespace) -> int:
    from pytest_vft.catalogue.load import load_rules  # noqa: PLC0415 - as above
    from pytest_vft.catalogue.pages import write_pages  # noqa: PLC0415 - as above
    from pytest_vft.report.rules import render_proof, render_rules  # noqa: PLC0415 - as above

    settings = _settings(arguments)
    if arguments.test:
        from pytest_vft.checking.prove import prove  # noqa: PLC0415 - as above

        proofs = prove(load_rules(arguments.test), settings.catalogue, settings.provider)
        _print(render_proof(proofs))
        return 0 if all(proof.holds for proof in proofs) else 1
    if arguments.write_pages:
        for page in write_pages(settings.catalogue, arguments.write_pages):
            _print(f"{safe(page, None)}\n")
        return 0
    run = {rule.id: rule for rule in settings.rules}
    listed = run if arguments.select else {**settings.catalogue, **run}
    _print(render_rules(list(listed.values()), listed.keys() - run, settings.reasons))
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from pytest_vft.catalogue.pages import page  # noqa: PLC0415 - as above

    settings = _settings(arguments)
    if arguments.rule not in settings.catalogue:
        known = nearest(arguments.rule, settings.catalogue)
        raise UsageError(f"no rule {arguments.rule!r}{known}; 'vft rules' lists them")
    # A rule file may come from a stranger, too.
    _print("\n".join(safe(line, None) for line in page(settings.catalogue[arguments.rule]).split("\n")))
    return 0


def _not_yet(arguments: argparse.Namespace) -> int:
    raise UsageError(f"'vft {arguments.name}' is not in this version yet")


def _print(text: str) -> None:
    """Print *text*, in colour on a terminal."""
    encoding = sys.stdout.encoding or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
            from rich.console import Console  # noqa: PLC0415 - 40 ms, for a terminal only

            from pytest_vft.report.colour import highlighted  # noqa: PLC0415 - as above

            Console(highlight=False).print(highlighted(text), end="", soft_wrap=True)
        else:
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, head or less, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    raise SystemExit(main())
