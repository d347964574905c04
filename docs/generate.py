"""Write the generated parts of the documentation: tables of options, pages of rules, facts and providers.

    python docs/generate.py

A generated part of a page is between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.catalogue.pages import write_pages
from pytest_vft.catalogue.provider_pages import write_provider_pages
from pytest_vft.catalogue.providers import load_provider, provider_ids
from pytest_vft.options import COMMANDS, OPTIONS, PYTEST, Argument, Command, Option

REFERENCE = Path(__file__).parent / "reference"
PART = re.compile(r"(<!-- generated: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Write all generated parts."""
    page = REFERENCE / "options.md"
    page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")
    write_pages(shipped_rules(), REFERENCE)
    providers = [load_provider(id_) for id_ in provider_ids()]
    write_provider_pages(providers, shipped_rules(), REFERENCE / "providers")


def fill(page: str) -> str:
    """Return the text of *page* with new generated parts."""
    parts = {"commands": commands(), **{command.name: options(command) for command in COMMANDS}}
    return PART.sub(lambda match: f"{match[1]}{parts[match[2]]}{match[3]}", page)


def commands() -> str:
    """Return the table of commands."""
    return table(("command", "what it does"), ((usage(command), command.help) for command in COMMANDS))


def usage(command: Command) -> str:
    """Return the usage of *command*: `vft check [FILE ...]`."""
    shown = (
        f"[{argument.metavar} ...]" if argument.many else value(argument) for argument in command.arguments
    )
    return code(" ".join(["vft", command.name, *shown]))


def options(command: Command) -> str:
    """Return the table of arguments and options of *command*, with a column for pytest if there are any."""
    rows = [(code(value(argument)), "", argument.help) for argument in command.arguments]
    rows += [row(option, command) for option in OPTIONS if option.help and belongs(option, command)]
    if not any(pytest for _, pytest, _ in rows):
        return table((code(f"vft {command.name}"), "what it does"), ((ours, what) for ours, _, what in rows))
    return table((code(f"vft {command.name}"), "pytest", "what it does"), rows)


def belongs(option: Option, command: Command) -> bool:
    """Return whether *option* is in the table of *command*.

    Each option is in one table. Options that several commands share, and options that only pytest has,
    are in the table of `vft check`.
    """
    if command.name == "check":
        return "check" in option.commands or PYTEST in option.commands
    return command.name in option.commands and "check" not in option.commands


def row(option: Option, command: Command) -> tuple[str, str, str]:
    """Return the row of *option*: its form for *command*, its form for pytest, and its help."""
    ours = f"--{option.name}{value(option)}" if command.name in option.commands else ""
    pytest = f"{option.pytest_name}{value(option)}" if option.pytest_name else ""
    more = "; repeatable" if option.kind == "list" else ""
    return code(ours), code(pytest), option.help + more


def value(given: Argument | Option) -> str:
    """Return the placeholder of an argument, or of the value of an option with its equals sign."""
    if isinstance(given, Argument):
        return given.metavar
    return "" if given.kind == "flag" else f"={given.values}"


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    return "".join(f"{line}\n" for line in _lines(heads, rows))


def _lines(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for cells in (heads, ("---",) * len(heads), *rows):
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def code(text: str) -> str:
    """Return *text* as code; an empty text stays empty."""
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    main()
