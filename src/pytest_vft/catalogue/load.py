"""Rules, and the files that define them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from pytest_vft.catalogue.check import check_rule_file
from pytest_vft.catalogue.conditions import Conditions, Kind, kinds_of_values
from pytest_vft.catalogue.files import harmless
from pytest_vft.errors import RuleFileError
from pytest_vft.facts.scopes import fact_types
from pytest_vft.model import SCOPES, Effect, Scope, Severity
from pytest_vft.resources import rules_root
from pytest_vft.text import nearest, placeholders

_CASES = "\n[[cases]]"
_NOUN = re.compile("[a-z][a-z -]{0,30}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule:
    """A condition on the facts of one scope, as written in its file.

    *when* and *require* map names of facts to fragments of JSON Schema. *limits* names numbers that
    providers state; a *claim* has no number but must be stated by providers as well; *params* are
    numbers with a default. *data_formats* are the formats to which the rule applies, all if there are none.
    *each* names a fact that lists faults; each fault is a finding. *box* names a fact with a
    place in the image. *cut_after* names a number of tokens: the finding is placed at the message that
    exceeds it. *bounds_fetch* names the maximum number of bytes to fetch of an image. *waived_by* names a
    network setting under which findings are ignored. *below* names a fact with an
    absolute path, and has texts for many findings with a common folder. A rule that is *off* runs only if
    it is selected by its id. The lines of a
    file that fails a rule that *stops* are not read, so such a rule is always selected. *fix* names the
    repair of its findings that meet *fix_when*; of the faults of *each*, only *fix_faults*. It is made
    only on request if it is *unsafe*.

    *effect* is what a failure means to any provider, unless its file states something else; None is the
    default of meaning(). *key_effects* replace it for findings at keys with these names. A rule that is
    bound to a provider has the values of its limits in *params*; *skips* is the provider's reason for
    skipping an image; *source* and *checked* come from the provider's statement.
    """

    id: str
    scope: Scope
    severity: Severity
    summary: str
    message: str
    advice: str
    why: str
    path: Path
    require: Conditions
    source: str = ""
    checked: date | None = None
    when: Conditions = field(default_factory=dict)
    limits: Sequence[str] = ()
    claim: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    skips: str | None = None
    effect: Effect | None = None
    key_effects: Mapping[str, Effect] = field(default_factory=dict)
    data_formats: Sequence[str] = ()
    each: str | None = None
    box: str | None = None
    cut_after: str | None = None
    bounds_fetch: str | None = None
    waived_by: str | None = None
    below: Mapping[str, str] | None = None
    off: bool = False
    stops: bool = False
    fix: str | None = None
    unsafe: bool = False
    fix_when: Conditions = field(default_factory=dict)
    fix_faults: Sequence[str] = ()

    @property
    def subject(self) -> str:
        """The subject of the rule as a noun: file, image, few-shot answer ..."""
        match self.when.get("kind"):
            case {"const": str(kind)} | {"enum": [str(kind)]} if _NOUN.fullmatch(kind):
                return kind
        return self.scope

    @property
    def meaning(self) -> Effect:
        """What a failure means to the provider: by default, an error is refused, a warning means nothing."""
        return self.effect or ("refuses" if self.severity == "error" else "nothing")

    @property
    def tested(self) -> frozenset[str]:
        """The facts that decide the verdict."""
        return frozenset((*self.when, *self.require))

    @property
    def facts(self) -> frozenset[str]:
        """The facts to measure for the rule: those in conditions and message, and those that keys name."""
        named = {self.each, self.box, self.below["path"] if self.below else None}
        used = named.union(self.when, self.require, self.fix_when, placeholders(self.message))
        return frozenset(fact for fact in fact_types(self.scope) if fact in used)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """The kind of value of each limit and parameter by name, for a rule that is not bound."""
        facts = fact_types(self.scope)
        return kinds_of_values(self.when, facts) | kinds_of_values(self.require, facts)


@cache
def shipped_rules() -> Mapping[str, Rule]:
    """Return the shipped rules by id, unchecked: tests check their files."""
    rules = []
    for path in _rule_files(rules_root()):
        # Parsing TOML is slow, cases are most of a file, and few runs need them.
        text, _, _ = path.read_text(encoding="utf-8").partition(_CASES)
        rules.append(_rule(path, tomllib.loads(text)))
    return {rule.id: rule for rule in rules}


def load_rules(place: Path) -> Mapping[str, Rule]:
    """Return the rules in *place*, a user's folder or one rule file, by id.

    Raises RuleFileError for the first problem, with file, key and the likely intention.
    """
    if not place.exists():
        raise RuleFileError(f"{place}: no such folder of rules")
    rules: dict[str, Rule] = {}
    for path in _own_files(place) if place.is_dir() else [place.absolute()]:
        scope = path.parent.name
        if scope not in SCOPES:
            raise RuleFileError(
                f"{path}: no scope {scope!r}{nearest(scope, SCOPES)}; the folder of a rule must be one of "
                + ", ".join(SCOPES)
            )
        content = check_rule_file(path)
        content.pop("cases", None)
        rule = _rule(path, harmless(content))
        rules[rule.id] = rule
    if not rules:
        raise RuleFileError(f"{place}: has no rules; a rule is a file SCOPE/NAME.toml")
    return rules


def _own_files(folder: Path) -> list[Path]:
    """Return the rule files below *folder*. Raises RuleFileError for links, which may lead anywhere."""
    paths = _rule_files(folder)
    try:
        folders = [path for path in folder.iterdir() if path.name in SCOPES]
        for path in (*folders, *(path.parent for path in paths), *paths):
            if path.is_symlink():
                raise RuleFileError(f"{path}: is a link; expected an ordinary file or folder")
    except OSError as error:
        raise RuleFileError(f"{folder}: {error.strerror}") from None
    return paths


def _rule_files(folder: Path) -> list[Path]:
    """Return the rule files below *folder*, from the widest scope to the narrowest."""
    order: dict[str, int] = {scope: number for number, scope in enumerate(SCOPES)}
    paths = [path for path in folder.glob("*/*.toml") if path.parent.name != "providers"]
    return sorted(paths, key=lambda path: (order.get(path.parent.name, len(order)), path.stem))


def _rule(path: Path, content: Mapping[str, Any]) -> Rule:
    scope: Any = path.parent.name
    fields = {key: value for key, value in content.items() if key != "cases"}
    return Rule(id=f"{scope}/{path.stem}", scope=scope, path=path, **fields)
