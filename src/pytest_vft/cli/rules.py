"""`vft rules`, `vft explain` and `vft schema`: reference texts."""

from __future__ import annotations

import argparse
import json

from pytest_vft.catalogue.pages import write_pages
from pytest_vft.checking.selftest import run_rule_tests
from pytest_vft.cli.output import print_text
from pytest_vft.report.rules import render_rule_tests, render_rules
from pytest_vft.runs.reference import explain_in, rules_to_test
from pytest_vft.runs.reference import schema as read_schema
from pytest_vft.runs.settings import read_settings
from pytest_vft.text import safe


def rules(arguments: argparse.Namespace) -> int:
    """List the rules of a run, test the rules of a folder, or write pages. Return the exit code."""
    settings = read_settings(vars(arguments))
    if arguments.test:
        tests = run_rule_tests(rules_to_test(settings, arguments.test), settings.catalogue)
        print_text(render_rule_tests(tests))
        return 0 if all(test.holds for test in tests) else 1
    if arguments.write_pages:
        for written in write_pages(settings.catalogue, arguments.write_pages):
            print_text(f"{safe(written, None)}\n")
        return 0
    run = {rule.id: rule for rule in settings.rules}
    listed = run if arguments.select else {**settings.catalogue, **run}
    print_text(render_rules(list(listed.values()), listed.keys() - run, settings.reasons))
    return 0


def explain(arguments: argparse.Namespace) -> int:
    """Explain a rule, a scope or a provider. Return the exit code."""
    print_text(explain_in(read_settings(vars(arguments)), arguments.subject))
    return 0


def schema(arguments: argparse.Namespace) -> int:
    """Print a JSON Schema. Return the exit code."""
    print_text(json.dumps(read_schema(arguments.schema), indent=2, ensure_ascii=False) + "\n")
    return 0
