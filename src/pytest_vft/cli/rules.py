"""`vft rules`, `vft explain` and `vft schema`: what there is."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pytest_vft.cli.options import add_run_options, read_settings
from pytest_vft.cli.parser import Commands, print_text
from pytest_vft.text import safe


def add(commands: Commands) -> None:
    """Add the commands."""
    rules = commands.add("rules", "list the rules; test or document rule files", _rules)
    add_run_options(rules, files=False)
    rules.add_argument(
        "--test", metavar="PATH", type=Path, help="run the cases and mutants of the rules in PATH"
    )
    rules.add_argument(
        "--write-pages", metavar="DIR", type=Path, help="write their pages and one of facts into DIR"
    )

    explain = commands.add("explain", "explain a rule, a scope or a provider", _explain)
    explain.add_argument("subject", metavar="NAME", help="one of them, or the path of a provider file")
    add_run_options(explain, files=False)

    schema = commands.add("schema", "print the JSON Schema of a file", _schema)
    schema.add_argument("schema", metavar="NAME", help="rule, provider, config or example")


def _rules(arguments: argparse.Namespace) -> int:
    from pytest_vft.catalogue.load import load_rules  # noqa: PLC0415 - `vft --help` needs none of it
    from pytest_vft.catalogue.pages import write_pages  # noqa: PLC0415 - as above
    from pytest_vft.report.rules import render_rule_tests, render_rules  # noqa: PLC0415 - as above

    settings = read_settings(arguments)
    if arguments.test:
        from pytest_vft.checking.selftest import run_rule_tests  # noqa: PLC0415 - as above

        proofs = run_rule_tests(load_rules(arguments.test), settings.catalogue)
        print_text(render_rule_tests(proofs))
        return 0 if all(proof.holds for proof in proofs) else 1
    if arguments.write_pages:
        for page in write_pages(settings.catalogue, arguments.write_pages):
            print_text(f"{safe(page, None)}\n")
        return 0
    run = {rule.id: rule for rule in settings.rules}
    listed = run if arguments.select else {**settings.catalogue, **run}
    print_text(render_rules(list(listed.values()), listed.keys() - run, settings.reasons))
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from pytest_vft.runs.reference import explain_in  # noqa: PLC0415 - as above

    print_text(explain_in(read_settings(arguments), arguments.subject))
    return 0


def _schema(arguments: argparse.Namespace) -> int:
    from pytest_vft.runs.reference import schema  # noqa: PLC0415 - as above

    print_text(json.dumps(schema(arguments.schema), indent=2, ensure_ascii=False) + "\n")
    return 0
