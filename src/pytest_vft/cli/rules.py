"""`vft rules` and `vft explain`: the rules listed, tested, documented, explained."""

from __future__ import annotations

import argparse

from pytest_vft.catalogue.load import load_rules
from pytest_vft.catalogue.pages import page, write_pages
from pytest_vft.checking.selftest import run_rule_tests
from pytest_vft.cli.output import print_text
from pytest_vft.errors import UsageError
from pytest_vft.report.rules import render_rule_tests, render_rules
from pytest_vft.runs.settings import read_settings
from pytest_vft.text import nearest, safe


def rules(arguments: argparse.Namespace) -> int:
    """List the rules of a run, test those of a folder, or write their pages. Return the exit code."""
    settings = read_settings(vars(arguments))
    if arguments.test:
        proofs = run_rule_tests(load_rules(arguments.test), settings.catalogue, settings.provider)
        print_text(render_rule_tests(proofs))
        return 0 if all(proof.holds for proof in proofs) else 1
    if arguments.write_pages:
        for written in write_pages(settings.catalogue, arguments.write_pages):
            print_text(f"{safe(written, None)}\n")
        return 0
    run = {rule.id: rule for rule in settings.rules}
    listed = run if arguments.select else {**settings.catalogue, **run}
    print_text(render_rules(list(listed.values()), listed.keys() - run, settings.reasons))
    return 0


def explain(arguments: argparse.Namespace) -> int:
    """Print the page of a rule. Return the exit code."""
    settings = read_settings(vars(arguments))
    if arguments.rule not in settings.catalogue:
        known = nearest(arguments.rule, settings.catalogue)
        raise UsageError(f"no rule {arguments.rule!r}{known}; 'vft rules' lists them")
    # A rule file may come from a stranger, too.
    text = page(settings.catalogue[arguments.rule])
    print_text("\n".join(safe(line, None) for line in text.split("\n")))
    return 0
