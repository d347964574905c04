"""Tallies of rules, made from the counts of verdicts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.compile import Verdicts
from pytest_vft.gaps import Cause, Gaps
from pytest_vft.model import SCOPES, Scope, Tally, Verdict

# Tuples with a verdict for each rule of a scope, and the number of subjects with these verdicts.
Counts = Iterable[tuple[Verdicts, int]]

_SHARED = 1024  # counters that files share

_NONE: Mapping[Verdicts, int] = {}


def shared_counts(counts: Mapping[Scope, Mapping[Verdicts, int]]) -> Mapping[Scope, Mapping[Verdicts, int]]:
    """Return *counts*, as one object for all files with equal counts; it must not be changed."""
    return _shared(tuple([(scope, tuple(own.items())) for scope, own in counts.items()]))


@lru_cache(_SHARED)
def _shared(
    counts: tuple[tuple[Scope, tuple[tuple[Verdicts, int], ...]], ...],
) -> Mapping[Scope, Mapping[Verdicts, int]]:
    return {scope: dict(own) for scope, own in counts}


def gaps_by_rule(gaps: Gaps) -> Mapping[str, Mapping[Cause, int]]:
    """Return *gaps*, those of a file, by rule and cause; files with equal ones share them."""
    return _shared_gaps(tuple(gaps.items()))


@lru_cache(_SHARED)
def _shared_gaps(numbers: tuple[tuple[tuple[Cause, str], int], ...]) -> Mapping[str, Mapping[Cause, int]]:
    gaps: defaultdict[str, dict[Cause, int]] = defaultdict(dict)
    for (cause, rule), number in numbers:
        gaps[rule][cause] = number
    return dict(gaps)


def make_tally(counts: Counts, position: int, *, ignored: bool) -> Tally:
    """Return the tally of the rule at *position* in the verdicts of *counts*."""
    numbers = [0] * len(Verdict)
    for verdicts, number in counts:
        numbers[verdicts[position]] += number
    failed = numbers[Verdict.FAIL]
    return Tally(
        passed=numbers[Verdict.PASS],
        failed=0 if ignored else failed,
        unknown=numbers[Verdict.UNKNOWN],
        not_applicable=numbers[Verdict.NOT_APPLICABLE],
        ignored=failed if ignored else 0,
    )


@dataclass(frozen=True, slots=True, eq=False)
class FileTallies(Mapping[str, Tally]):
    """The tallies of a file by rule id; each is made when it is looked up.

    A tally for each rule would take 10 kB for each file. *places* has the number of the scope and the
    position of each rule, *counts* the verdicts by scope.
    """

    places: Mapping[str, tuple[int, int]]
    counts: Sequence[Counts]
    ignored: frozenset[str]

    def __getitem__(self, id_: str) -> Tally:
        scope, position = self.places[id_]
        ignored = id_ in self.ignored
        tally = make_tally(self.counts[scope], position, ignored=ignored)
        return replace(tally, unknown=0, left_out=tally.unknown) if ignored and tally.unknown else tally

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def __repr__(self) -> str:
        return repr(dict(self))


@dataclass(slots=True)
class _Alike:
    """A number of *files* with the same *counts* and verdicts, and their tallies."""

    counts: Mapping[Scope, Mapping[Verdicts, int]]
    tallies: FileTallies
    files: int = 0


class TallyMaker:
    """Makes the tallies of files by *rules*, and adds them up. Files with shared_counts() share tallies."""

    def __init__(self, rules: Mapping[Scope, Sequence[Rule]]) -> None:
        self._places = {
            rule.id: (number, position)
            for number, scope in enumerate(SCOPES)
            if scope != "dataset"
            for position, rule in enumerate(rules[scope])
        }
        self._made: dict[tuple[int, Verdicts, frozenset[str]], _Alike] = {}

    def add(
        self, counts: Mapping[Scope, Mapping[Verdicts, int]], own: Verdicts, ignored: frozenset[str]
    ) -> FileTallies:
        """Return the tallies of a file with these *counts*, in which the rules *ignored* are ignored.

        *own* are the verdicts on the file itself.
        """
        key = id(counts), own, ignored
        made = self._made.get(key)
        if made is None:
            rows = tuple(
                ((own, 1),) if scope == "file" else tuple(counts.get(scope, _NONE).items())
                for scope in SCOPES
            )
            made = self._made[key] = _Alike(counts, FileTallies(self._places, rows, ignored))
        made.files += 1
        return made.tallies

    def sums(self) -> Mapping[str, Tally]:
        """Return the tallies of all files together, by rule id."""
        sums: defaultdict[frozenset[str], list[Counter[Verdicts]]] = defaultdict(
            lambda: [Counter() for _ in SCOPES]
        )
        for made in self._made.values():
            tallies, files = made.tallies, made.files
            for total, pairs in zip(sums[tallies.ignored], tallies.counts, strict=True):
                for verdicts, number in pairs:
                    total[verdicts] += files * number
        parts = [
            FileTallies(self._places, [total.items() for total in totals], ignored)
            for ignored, totals in sums.items()
        ]
        return {id_: sum((part[id_] for part in parts), Tally()) for id_ in self._places}
