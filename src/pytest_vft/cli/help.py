"""Texts of `--help` that argparse does not make."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_vft.options import COMMANDS, Command

_GROUPS = ("data", "models", "reference")
_EXIT_CODES = """\
exit codes:
  0    in order
  1    something is wrong with the data, the answers or the job
  2    it could not be done or judged: usage, configuration, files, network
  130  Ctrl-C"""
_EXAMPLES = (
    "vft check train.jsonl",
    "vft providers train.jsonl",
    "vft explain image/truncated",
)


def command_table() -> str:
    """Return the names of all commands, a line for each group."""
    room = max(map(len, _GROUPS))
    names = {group: [one.name for one in COMMANDS if one.group == group] for group in _GROUPS}
    return "\n".join(f"{group:<{room}}  {'  '.join(names[group])}" for group in _GROUPS)


def usage(command: Command) -> str:
    """Return the usage of *command*, without its options."""
    shown = [
        f"[{one.metavar} ...]" if one.many else f"[{one.metavar}]" if one.optional else one.metavar
        for one in command.arguments
    ]
    return " ".join(["vft", command.name, "[OPTION ...]", *shown])


def epilog(examples: Sequence[str] = _EXAMPLES) -> str:
    """Return the end of a help text: *examples*, which are command lines, and the exit codes."""
    return "\n".join(["examples:", *(f"  {example}" for example in examples), "", _EXIT_CODES])


def overview() -> str:
    """Return the description of vft: its commands in groups."""
    lines = ["Check vision fine-tuning datasets before training on them."]
    for group in _GROUPS:
        lines += ["", f"{group}:"]
        lines += [f"  {one.name:<10} {one.help}" for one in COMMANDS if one.group == group]
    return "\n".join(lines)
