"""The comparison of providers as a table of text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date

from pytest_vft.compatibility import AfterConversion, Compatibility, LoaderResult, ProviderComparison, Reason
from pytest_vft.report.layout import DEFAULT, Display, wrapped
from pytest_vft.report.text import all_file_lines, tokens_and_price
from pytest_vft.text import count, safe

_VERDICT = len("refuses")
_WIDEST_NAME = 30
_VERDICTS = ("takes", "loses", "unknown", "refuses")
AFTER_NOTE = (
    "after convert, by the first examples and the first ones with a fault, if each URL can be fetched and "
    "each safe repair succeeds"
)


def render_matrix_text(comparison: ProviderComparison, display: Display = DEFAULT) -> str:
    """Return *comparison* as text: a row for each provider, with its verdict and a reason a line.

    A long reason that several providers have follows the rows, which have its number.
    """
    width = display.width
    network = [("offline" if comparison.offline else "network on")] if comparison.urls else []
    providers = count(len(comparison.providers), "provider")
    model = [f"model {safe(comparison.model)}"] if comparison.model else []
    lines = [", ".join([f"vft: {providers}", *model, f"depth {comparison.depth}", *network])]
    lines += all_file_lines(comparison.files, (), display)
    lines += ["", *_table(comparison, display)]
    for note in comparison.notes:
        lines += wrapped(f"note: {note}", width=width)
    lines += _afters(comparison, width)
    lines += (f"next: {safe(one, None)}" for one in _next(comparison))
    return "\n".join([*lines, "help: vft explain PROVIDER; vft check --provider=PROVIDER"]) + "\n"


def _table(comparison: ProviderComparison, display: Display) -> Iterator[str]:
    """Yield a row for each provider, then the reasons that several of them have."""
    names = [safe(one.id, _WIDEST_NAME) for one in comparison.providers]
    room = max(map(len, names))
    indent = " " * (room + _VERDICT + 4)
    reasons = [why(comparison, one, display.most_shown) for one in comparison.providers]
    shared = _shared(reasons, display.width - len(indent))
    yield f"{'':<{room}}  {'verdict':<{_VERDICT}}  why"
    for name, one, texts in zip(names, comparison.providers, reasons, strict=True):
        first = f"{name:<{room}}  {one.verdict:<{_VERDICT}}  "
        numbers = ", ".join(f"[{shared[text]}]" for text in texts if text in shared)
        for text in [*filter(None, [numbers]), *(text for text in texts if text not in shared)] or [""]:
            yield from wrapped(text, first, f"{indent}  ", width=display.width)
            first = indent
    yield ""
    for text, number in shared.items():
        yield from wrapped(text, f"[{number}] ", "    ", width=display.width)
    yield from [""] * bool(shared)


def _shared(reasons: Sequence[Sequence[str]], room: int) -> dict[str, int]:
    """Return numbers of the texts that several of *reasons* have and that do not fit in *room* columns."""
    numbers = Counter(text for texts in reasons for text in dict.fromkeys(texts))
    found = (text for text, number in numbers.items() if number > 1 and len(text) > room)
    return {text: number for number, text in enumerate(found, 1)}


def _afters(comparison: ProviderComparison, width: int) -> Iterator[str]:
    """Yield the verdicts after a conversion, those with the same reasons together."""
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in comparison.providers:
        if one.after:
            groups[one.after.verdict, "; ".join(one.after.left)].append(safe(one.id, _WIDEST_NAME))
    if groups:
        yield from wrapped(f"{AFTER_NOTE}:", width=width)
    for (verdict, left), names in sorted(groups.items(), key=lambda item: _VERDICTS.index(item[0][0])):
        words = ": ".join(filter(None, (", ".join(names), left)))
        yield from wrapped(words, f"  {verdict:<{_VERDICT}}  ", " " * (_VERDICT + 6), width=width)


def _next(comparison: ProviderComparison) -> Iterator[str]:
    """Yield the command that converts for a provider that takes the dataset then: one that does not close."""

    def rank(one: Compatibility, after: AfterConversion) -> tuple[bool, bool]:
        is_closing = one.closes is not None or one.closes_newcomers is not None
        return is_closing, "--image-prefix" in after.command  # which is for the user to fill in

    takes = [(one, one.after) for one in comparison.providers if one.after and one.after.verdict == "takes"]
    yield from [after.command for _, after in sorted(takes, key=lambda pair: rank(*pair))[:1]]


def after_words(one: Compatibility) -> str:
    """Return the verdict of *one* after a conversion, with what is left."""
    if one.after is None:
        return ""
    return ": ".join(filter(None, (one.after.verdict, "; ".join(one.after.left))))


def why(comparison: ProviderComparison, one: Compatibility, most_shown: int = 0) -> list[str]:
    """Return the reasons of *one*, at most *most_shown* (0: all), its closing dates, and the cost."""
    shown = one.reasons[:most_shown] if most_shown else one.reasons
    texts = [_reason(reason, one, several_files=len(comparison.files) > 1) for reason in shown]
    hidden = len(one.reasons) - len(shown)
    texts += [f"{hidden:,} more (--max-shown=0 shows them)"] if hidden else []
    closing = ", ".join(_closing(one, comparison.today))
    texts += [closing] if closing else []
    if comparison.with_loader:
        texts.append(_loader(one.loader))
    if one.cost is not None:
        cost = one.cost
        texts.append(f"one epoch: {tokens_and_price(cost.tokens_at_least, cost.tokens_at_most, cost.price)}")
    return texts


def _loader(result: LoaderResult | None) -> str:
    """Return what the provider's own reader said."""
    if result is None:
        return "loader: vft knows none"
    if not result.installed:
        return f"loader: {result.reader} is not installed"
    opened = ", no image opened" if result.images is None else f", {count(result.images, 'image')} opened"
    unopened = f", {result.unopened:,} not opened" if result.unopened else ""
    said = "takes the files" if result.problem is None else result.problem
    return f"loader: {result.reader}: {said}{opened}{unopened}"


def _closing(one: Compatibility, today: date) -> Iterator[str]:
    """Yield when *one* closes for all, and for new customers; a date in the past for all is a reason."""
    if one.closes is not None and one.closes <= today:
        return
    if one.closes is not None:
        yield f"closes {one.closes}"
    newcomers = one.closes_newcomers
    if newcomers is not None:
        closed = newcomers <= today
        yield f"{'closed' if closed else 'closes'} to new customers {'since ' if closed else ''}{newcomers}"
    if one.open_until is not None and one.open_until > today:
        yield f"open to existing customers until at least {one.open_until}"


def _reason(reason: Reason, one: Compatibility, *, several_files: bool) -> str:
    """Return the text of *reason* with its first place, and with its effect if that is not the verdict."""
    place = ""
    if reason.path is not None and several_files:
        place = f" ({reason.path}{'' if reason.line is None else f':{reason.line}'})"
    elif reason.line is not None:
        place = f" (line {reason.line:,})" if reason.number == 1 else f" (first: line {reason.line:,})"
    effect = "" if reason.effect in {one.verdict, "unknown"} else f"{reason.effect}: "
    return f"{effect}{reason.message}{place}"
