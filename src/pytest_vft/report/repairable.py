"""Which findings `vft fix` can repair, as text."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from pytest_vft.model import Finding, Report
from pytest_vft.reading.object_paths import is_object
from pytest_vft.text import safe

FIX_FIRST = "Run vft fix. By hand: "  # what advice on a finding with a safe repair starts with
_FIX_SOME = "Run vft fix, which repairs some of them. By hand: "
_MOST_FILES = 3  # that are named in a command


def mark(findings: Iterable[Finding]) -> str:
    """Return the mark of a rule some of whose *findings* have a safe repair, "" for others."""
    return " [*]" if any(finding.fix and not finding.unsafe for finding in findings) else ""


def advice_on(findings: Iterable[Finding]) -> list[str]:
    """Return the advice on *findings* of one rule without repetitions.

    Advice that some findings have with a repair and others without one is given once.
    """
    found = dict.fromkeys(finding.advice for finding in findings)
    both = {one for one in found if FIX_FIRST + one in found}
    texts = [_FIX_SOME + one if one in both else one for one in found]
    return [one for one in texts if one.removeprefix(FIX_FIRST) not in both]


def repair_name(finding: Finding) -> str:
    """Return the name of the repair of *finding*, with a remark if it is unsafe; "" without a repair."""
    return f"{finding.fix} (unsafe)" if finding.fix and finding.unsafe else finding.fix or ""


def repair_words(report: Report) -> str:
    """Return how many findings of *report* in files have safe repairs, with the command; "" without any.

    Compressed files, which are not written, are counted only if there are no others. Objects are not changed:
    the command writes new ones.
    """
    found = [one for one in report.findings if one.fix and not one.unsafe and one.path != "-"]
    if not found:
        return ""
    packed = {file.path for file in report.files if file.compression}
    found, command, rest = (
        ([one for one in found if one.path not in packed], "fix", "")
        if not packed.issuperset(one.path for one in found)
        else (found, "convert", " --to=PROVIDER --out=DIR")
    )
    rules = {finding.rule for finding in found}
    more = any(rule.truncated for rule in report.rules if rule.id in rules)
    paths = list(dict.fromkeys(finding.path for finding in found))
    objects = [path for path in paths if is_object(path)]
    if command == "fix" and objects:
        bucket = "/".join(objects[0].split("/")[:3])
        rest = f" --out={shlex.quote(f'{bucket}/fixed')}"
    named = " ".join(shlex.quote(path) for path in paths) if len(paths) <= _MOST_FILES else "FILE ..."
    least = "at least " if more else ""
    return safe(f"[*] {least}{len(found):,} can be repaired: vft {command} {named}{rest}", None)
