"""One run from settings to report: what every entry point calls."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vft.catalogue.foreign import read_foreign
from pytest_vft.catalogue.load import Rule, load_rules, read_schema, shipped_rules
from pytest_vft.catalogue.providers import Provider, load_provider
from pytest_vft.catalogue.select import matching, select_rules
from pytest_vft.checking.counted import Found
from pytest_vft.checking.lint import Linted, lint_files
from pytest_vft.checking.memory import Store
from pytest_vft.checking.processes import processes, usable_cpus
from pytest_vft.checking.shard import Linter, Plan
from pytest_vft.config import Config, load_config
from pytest_vft.errors import ConfigError, UsageError
from pytest_vft.model import Depth, FileResult, Finding, Report, RuleResult, Severity, Source, Tally
from pytest_vft.reading.remote import Fetched, Fetcher, Remote, Watch
from pytest_vft.reading.shards import Shard
from pytest_vft.reading.sqlite import FOLDER
from pytest_vft.report.text import render_text
from pytest_vft.sources import find_sources
from pytest_vft.text import count, nearest
from pytest_vft.web.network import ONLINE, Network, fetcher, idle_proxy, read_network

if TYPE_CHECKING:
    from concurrent.futures import Executor

TOO_LARGE = "image/too-large"  # what it allows is what is fetched at most

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a run is asked to do: a configuration, and what was said on top of it.

    None where nothing was said. *ignore* names rules by pattern; *jobs* is how many processes lint at
    most, by default one for each CPU.
    """

    config: Config
    sources: tuple[Source, ...] = ()
    provider_id: str | None = None
    model_name: str | None = None
    select: Sequence[str] | None = None
    ignore: Sequence[str] = ()
    depth: Depth = "auto"
    fail_on: Severity = "error"
    require_checked: bool = False
    network: Network = ONLINE
    jobs: int | None = None

    @cached_property
    def provider(self) -> Provider:
        """The provider whose limits hold."""
        if self.provider_id is not None:
            return load_provider(self.provider_id)
        with _blaming(self.config, "provider: "):
            return load_provider(self.config.provider)

    @cached_property
    def model(self) -> str:
        """The model that is to be trained."""
        provider = self.provider
        if self.model_name is not None:
            return provider.model(self.model_name)
        with _blaming(self.config, "model: "):
            return provider.model(self.config.model)

    @cached_property
    def catalogue(self) -> Mapping[str, Rule]:
        """The shipped rules and those of the user's own folders, by id."""
        rules = dict(shipped_rules())
        for folder in self.config.rules:
            path = self.config.folder / folder
            if not path.is_dir():
                raise ConfigError(f"{self.config.path}: rules: {folder}: no such folder")
            for id_, rule in load_rules(path).items():
                if id_ in rules:
                    raise ConfigError(f"{rule.path}: there is a rule {id_} already; give it another name")
                rules[id_] = rule
        return rules

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of this run."""
        config, catalogue, provider, model = self.config, self.catalogue, self.provider, self.model
        with _blaming(config, "allow: "):
            for id_ in config.allow:
                if id_ not in catalogue:
                    raise UsageError(f"no rule {id_!r}{nearest(id_, catalogue)}")
        if self.select is not None:
            matching(self.select, catalogue)
        with _blaming(config, "select: "):
            matching(config.select or (), catalogue)
        with _blaming(config):
            return select_rules(
                catalogue,
                provider.with_limits_of(model),
                select=self.select if self.select is not None else config.select,
                params=config.params,
                severity=config.severity,
            )

    @cached_property
    def reasons(self) -> Mapping[str, str]:
        """Why a rule is ignored in all files, by id."""
        asked = dict.fromkeys(matching(self.ignore, self.catalogue), "on request")
        if self.network.allow_private:
            asked["image/not-public"] = "private addresses are allowed"
        with _blaming(self.config, "ignore: "):
            return asked | self._by_rule(self.config.ignore)

    @cached_property
    def reasons_by_file(self) -> Mapping[str, Mapping[str, str]]:
        """Why a rule is ignored in a file, by the path of its source and by id."""
        return {source.path: self._reasons_in(source.path) for source in self.sources}

    def _reasons_in(self, path: str) -> Mapping[str, str]:
        place = os.path.relpath(path, self.config.folder).replace(os.sep, "/")
        found = dict(self.reasons)
        for pattern, reasons in self.config.per_file_ignores.items():
            with _blaming(self.config, f"per-file-ignores.{pattern}: "):
                by_rule = self._by_rule(reasons)
            if fnmatchcase(place, pattern) or fnmatchcase(Path(place).name, pattern):
                found |= by_rule
        return found

    def check(self) -> None:
        """Raise UsageError, ConfigError or RuleFileError for what cannot be followed; no data is read."""
        if self.jobs is not None and self.jobs < 1:
            raise UsageError(f"jobs: {self.jobs}: want 1 or more")
        if not self.sources:
            raise UsageError("no files: name some, or list them under [tool.vft.data]")
        _ = self.model, self.rules, self.reasons, self.reasons_by_file

    def _by_rule(self, reasons: Mapping[str, str]) -> dict[str, str]:
        return {id_: reasons[pattern] for id_, pattern in matching(reasons, self.catalogue).items()}


@contextmanager
def _blaming(config: Config, key: str = "") -> Iterator[None]:
    """Say of what goes wrong that it is *key* of *config* which asked for it."""
    try:
        yield
    except UsageError as error:
        raise ConfigError(f"{config.path or 'configuration'}: {key}{error}") from None


def run(
    settings: Settings,
    *,
    only: Collection[str] | None = None,
    watch: Watch | None = None,
    executor: Executor | None = None,
) -> Report:
    """Lint the sources of *settings*; with *only*, no other rules than those and what they rest on.

    Large files are linted by several processes, or by *executor* if there is one. *watch* is called
    after each shard of a file, and with each URL that was fetched. Raises LintError when a worker dies.
    """
    settings.check()
    rules = settings.rules
    if only is not None:
        counting = any(rule.id in only and "skipped_examples" in rule.require for rule in rules)
        rules = tuple(r for r in rules if r.id in only or r.stops or (counting and r.skips))
    fetched = Fetched({})

    def fetch(urls: Iterable[str]) -> Mapping[str, Remote]:
        nonlocal fetched
        fetched = _fetcher(settings, rules, watch).fetch(urls)
        return fetched.remotes

    plan = _plan(settings, rules)
    asking = not settings.network.offline and any(rule.scope == "image" for rule in rules)
    with ExitStack() as stack:
        store = stack.enter_context(closing(Store(plan.cache))) if plan.cache else None

        def workers(size: int) -> Executor | None:
            return executor or stack.enter_context(processes(settings.jobs or usable_cpus(), size))

        linted = lint_files(
            settings.sources,
            plan,
            workers=workers,
            fetch=fetch if asking else None,
            remember=store.add if store else None,
            watch=watch,
        )
    return _report(settings, rules, linted, fetched, store.warnings if store else ())


def _fetcher(settings: Settings, rules: Sequence[Rule], watch: Watch | None) -> Fetcher:
    limit = next((rule for rule in rules if rule.id == TOO_LARGE), settings.catalogue[TOO_LARGE])
    return fetcher(
        settings.network,
        folder=settings.config.folder,
        most=limit.params["max_bytes"],
        full=settings.depth == "full",
        watch=watch,
    )


def run_line(settings: Settings, shard: Shard, line: int) -> tuple[Finding, ...]:
    """Return what the rules say of *shard*, which is line *line* of its file."""
    plan = _plan(settings, settings.rules)
    linter = Linter(plan, plan.album())
    by_id = {rule.id: rule for rule in settings.rules}
    with warnings.catch_warnings(action="ignore"):
        counted = linter.lint(shard)
    return tuple(
        _finding(by_id[found.rule], by_id[found.rule].severity, shard.path, found._replace(line=line))
        for found in counted.found
    )


def _plan(settings: Settings, rules: tuple[Rule, ...]) -> Plan:
    full = settings.depth != "header"
    return Plan(
        rules=rules,
        schema=read_schema("example.schema.json"),
        foreign=read_foreign(),
        image_tokens=settings.provider.models[settings.model].image_tokens,
        full=full,
        remotes={},
        ignored={path: frozenset(reasons) for path, reasons in settings.reasons_by_file.items()},
        max_findings=settings.config.max_findings,
        cache=settings.config.folder / FOLDER if full and settings.network.cache else None,
        now=datetime.now(UTC),
    )


def _finding(rule: Rule, severity: Severity, path: str, found: Found) -> Finding:
    return Finding(
        rule=rule.id,
        severity=severity,
        path=path,
        line=found.line,
        pointer=found.pointer,
        message=found.message,
        advice=rule.advice,
        image=found.image,
        skips=rule.skips,
        example=found.example,
    )


def _report(
    settings: Settings, rules: Sequence[Rule], linted: Linted, fetched: Fetched, troubles: Iterable[str]
) -> Report:
    results = tuple(_rule_result(settings, rule, linted) for rule in rules)
    severities = {result.id: result.severity for result in results}
    by_id = {rule.id: rule for rule in rules}
    closes = settings.provider.closes
    model = settings.provider.models[settings.model]
    return Report(
        provider=settings.provider.id,
        provider_name=settings.provider.name,
        closes=closes.isoformat() if closes else None,
        model=settings.model,
        depth=settings.depth,
        offline=settings.network.offline,
        fail_on=settings.fail_on,
        require_checked=settings.require_checked,
        files=linted.files,
        rules=results,
        findings=tuple(
            _finding(by_id[found.rule], severities[found.rule], path, found)
            for path, found in linted.findings
        ),
        dataset=linted.dataset,
        notes=(
            *_allowed_notes(results),
            *_split_notes(linted.files),
            *troubles,
            *_network_notes(settings.network, fetched),
        ),
        unsettled=sum(remote.reachable is None for remote in fetched.remotes.values()),
        cost=linted.cost and linted.cost._replace(price=model.price, price_date=model.price_date),
    )


def _rule_result(settings: Settings, rule: Rule, linted: Linted) -> RuleResult:
    tally = sum((_tally(file, rule.id) for file in linted.files), linted.dataset.get(rule.id, Tally()))
    allowed = settings.config.allow.get(rule.id)
    tolerated = allowed is not None and tally.failed <= allowed
    ignored = (reasons[rule.id] for reasons in settings.reasons_by_file.values() if rule.id in reasons)
    return RuleResult(
        id=rule.id,
        subject=rule.subject,
        severity="warning" if tolerated else rule.severity,
        tally=tally,
        truncated=linted.dropped.get(rule.id, 0),
        allowed=allowed,
        reason="; ".join(dict.fromkeys(ignored)) or None,
        summary=rule.summary,
        why=rule.why,
        advice=rule.advice,
        source=rule.source,
    )


def _tally(file: FileResult, rule: str) -> Tally:
    return file.tallies.get(rule, Tally())


def _allowed_notes(results: Sequence[RuleResult]) -> list[str]:
    return [
        f"allow: {result.id} has {count(result.tally.failed, 'finding')} of {result.allowed} allowed; "
        f"lower it to {result.tally.failed}"
        for result in results
        if result.allowed is not None and result.tally.failed < result.allowed
    ]


def _network_notes(network: Network, fetched: Fetched) -> Iterator[str]:
    yield from fetched.warnings
    if fetched.trouble == "no network":
        hint = "; a proxy is set in the environment: --proxy=env uses it" if idle_proxy() else ""
        yield f"there seems to be no network: no host could be reached{'' if network.proxy else hint}"
    elif fetched.trouble:
        yield "no host has a certificate that is trusted here; SSL_CERT_FILE names a file with others"
    elif fetched.remotes and network.proxy:
        yield "URLs were fetched through the proxy of the environment, which looks names up itself"
    causes = Counter(remote.cause for remote in fetched.remotes.values() if remote.reachable is None)
    del causes[fetched.trouble]
    if causes:
        listed = ", ".join(f"{cause} ({number:,})" for cause, number in causes.most_common(5))
        yield f"{count(causes.total(), 'URL')} not settled: {listed}"


def _split_notes(files: Sequence[FileResult]) -> list[str]:
    return [
        f"{file.path}: no example has an answer; if it is the test split, give it as --test-data"
        for file in files
        if file.split == "train" and file.examples and not file.answered
    ]


def lint(  # noqa: PLR0913 - all by keyword, each with a default
    *paths: str | os.PathLike[str],
    validation: Paths = (),
    test: Paths = (),
    provider: str | None = None,
    model: str | None = None,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    depth: Depth = "auto",
    fail_on: Severity = "error",
    require_checked: bool = False,
    offline: bool | None = None,
    allow_private: bool = False,
    proxy: str | None = None,
    cache: bool = True,
    config: Config | str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
) -> Report:
    """Lint training files and return the report.

    *paths* are files, folders or globs, train split unless the configuration says otherwise; with
    none at all the configuration's are read. *config* is a configuration, or the file that holds
    one; None looks for one from the current folder upwards. *offline* fetches no URLs, by default
    when VFT_OFFLINE is set; *allow_private* lets URLs lead to private addresses, *proxy* is None or
    "env", and without *cache* nothing is kept in .vft_cache. Files are linted in this process, or by
    an *executor* of concurrent.futures, whose workers must find the files at the same paths.
    Raises UsageError, ConfigError or RuleFileError for what cannot be followed, and LintError when a
    worker dies; never for data.
    """
    if not isinstance(config, Config):
        config = load_config(None if config is None else Path(config))
    sources = find_sources(config, _strings(paths), validation=_strings(validation), test=_strings(test))
    settings = Settings(
        config=config,
        sources=sources,
        provider_id=provider,
        model_name=model,
        select=select,
        ignore=ignore,
        depth=depth,
        fail_on=fail_on,
        require_checked=require_checked,
        network=read_network(offline=offline, allow_private=allow_private, proxy=proxy, cache=cache),
        jobs=1,
    )
    return run(settings, executor=executor)


def _strings(paths: Paths) -> list[str]:
    listed = [paths] if isinstance(paths, str | os.PathLike) else paths
    return [os.fspath(path) for path in listed]


def assert_clean(report: Report) -> None:
    """Raise AssertionError with the whole report as text unless *report* is ok."""
    if not report.ok:
        raise AssertionError(render_text(report))
