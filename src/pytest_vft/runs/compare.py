"""A comparison of providers: who takes a dataset, and why not the others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from pytest_vft.catalogue.load import Rule
from pytest_vft.catalogue.providers import provider_ids
from pytest_vft.clock import now
from pytest_vft.compatibility import Compatibility, LoaderResult, ProviderComparison, Reason
from pytest_vft.errors import UsageError, without_inner_frames
from pytest_vft.model import Depth, FileResult, Report, Source
from pytest_vft.reading.image_store import KnownImages
from pytest_vft.reading.opening import data_size
from pytest_vft.runs.after_conversion import after_conversion
from pytest_vft.runs.candidate_reasons import find_reasons, telling_rules
from pytest_vft.runs.candidates import Candidate, ReadableFormats, find_formats, make_candidate
from pytest_vft.runs.config import Config, nearest_configs
from pytest_vft.runs.lint import Paths, strings
from pytest_vft.runs.run import run, run_all
from pytest_vft.runs.samples import Samples
from pytest_vft.runs.settings import Settings, read_settings
from pytest_vft.runs.several import provider_names
from pytest_vft.runs.sources import find_sources
from pytest_vft.temporary import temporary_folder
from pytest_vft.text import safe

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from pytest_vft.reading.remote import Watch

_ORDER = ("refuses", "unknown", "loses", "note")
_KEPT = 100  # findings of a rule and file, of which a reason shows the first


def compare(  # noqa: PLR0913 - all by keyword but two
    options: Mapping[str, Any],
    paths: Sequence[str] = (),
    *,
    data: Sequence[str] = (),
    validation: Sequence[str] = (),
    test: Sequence[str] = (),
    watch: Watch | None = None,
    executor: Executor | None = None,
) -> ProviderComparison:
    """Return the verdicts of the providers in *options* ("provider": None for all shipped ones) on the files.

    The other arguments are those of find_groups() and run_all(). Files that several providers read are
    measured once. Only rules that say something about the provider count: what the configuration selects,
    ignores or allows has no effect.
    Raises UsageError, ConfigError or RuleFileError for invalid options, LintError if nothing can be judged.
    """
    settings = read_settings({**options, "provider": None, "model": None, "max_tokens": None})
    config = settings.config
    config_of = nearest_configs(config) if options.get("config") is None else None
    sources = find_sources(config, paths, data=data, validation=validation, test=test, config_of=config_of)
    if not sources:
        raise UsageError("no files: give some, or list them under [tool.vft.data] (vft.toml: [data])")
    names = provider_names(options.get("provider")) or provider_ids()
    settings = replace(
        settings,
        config=_neutral(config),
        select=None,
        extend_select=(),
        ignore=(),
        max_findings=_KEPT,
    )
    today = now().date()
    found = [find_formats(source, settings.data_format) for source in sources]
    candidates = [
        make_candidate(
            settings, name, found, model=options.get("model"), max_tokens=options.get("max_tokens")
        )
        for name in names
    ]
    model = options.get("model")
    if model is not None and not any(one.settings.model_name for one in candidates):
        raise UsageError(
            f"model {model!r}: no provider that is compared has it; vft explain PROVIDER lists models"
        )
    measured = [one.settings for one in candidates if one.settings.sources]
    telling = frozenset().union(*map(telling_rules, measured))
    known = KnownImages()  # of the files and their conversions
    reports = iter(run_all(measured, only=telling, watch=watch, executor=executor, known=known))
    judged = [(one, next(reports) if one.settings.sources else None) for one in candidates]
    loads = bool(options.get("with_loader"))
    made = [report for _, report in judged if report]
    files = _files(found, made)
    rules = {rule.id: rule for one in measured for rule in one.rules}
    stops = (rules.get(file.stopped_by or "") for report in made for file in report.files)
    is_read = not any(rule and "readable" in rule.require for rule in stops)
    with temporary_folder() as folder:
        samples = Samples(list(map(_as_read, found)), made, known, folder)
        providers = tuple(
            replace(
                _converted(one.settings, _compatibility(one, report, today), samples, known, today)
                if is_read  # else nothing can be converted
                else _compatibility(one, report, today),
                loader=_loaded(one.settings, sources) if loads else None,
            )
            for one, report in judged
        )
    return ProviderComparison(
        files=files,
        providers=providers,
        with_loader=loads,
        depth=settings.depth,
        offline=settings.network.offline,
        urls=max((report.urls for _, report in judged if report), default=0),
        today=today,
        model=model,
        notes=tuple(dict.fromkeys(note for one in made for note in (*one.notes, *_below_notes(one, rules)))),
    )


def _below_notes(report: Report, rules: Mapping[str, Rule]) -> Iterator[str]:
    """Yield what to do about findings of *report* whose rule, one of *rules*, names a common folder."""
    for finding in report.findings:
        if rules[finding.rule].below is not None:
            yield f"{finding.rule}: {safe(finding.advice, None)}"


def _neutral(config: Config) -> Config:
    """Return *config* without what it says about rules: a comparison is about the providers."""
    return replace(
        config,
        select=None,
        extend_select=(),
        ignore={},
        per_file_ignores={},
        allow={},
        params={},
        severity={},
    )


def _files(found: Sequence[ReadableFormats], reports: Sequence[Report]) -> tuple[FileResult, ...]:
    """Return the files that were *found*, as measured in their likeliest data format, or else in another one.

    A file that no provider reads has only a path, a split and a data format.
    """
    measured = {file.path: file for report in reversed(reports) for file in report.files}
    exact = {(file.path, file.data_format): file for report in reports for file in report.files}
    sources = [one.source for one in found]
    return tuple(
        exact.get((source.path, source.data_format)) or measured.get(source.path) or _unread(source)
        for source in sources
    )


def _unread(source: Source) -> FileResult:
    return FileResult(
        path=source.path,
        split=source.split,
        bytes=data_size(source.path),
        lines=0,
        examples=0,
        questions=0,
        answered=0,
        images=0,
        distinct_images=0,
        stopped_by="no provider reads its data format",
        tallies={},
        data_format=source.data_format,
    )


def _loaded(settings: Settings, sources: Sequence[Source]) -> LoaderResult | None:
    """Return what the own reader of the provider of *settings* says; None if vft knows none."""
    if settings.provider.loader is None:
        return None
    from pytest_vft.loaders.process import run_loader  # noqa: PLC0415 - for --with-loader only

    return run_loader(settings.provider.loader, [source.path for source in sources], settings.image_roots)


def _compatibility(candidate: Candidate, report: Report | None, today: date) -> Compatibility:
    settings = candidate.settings
    provider = settings.provider
    reasons = [*candidate.reasons, *_closed(provider.closes, today)]
    if report is not None:
        reasons += find_reasons(settings, report)
    reasons.sort(key=lambda reason: _ORDER.index(reason.effect))
    return Compatibility(
        id=provider.id,
        name=provider.name,
        model=settings.model,
        verdict=next((one.effect for one in reasons if one.effect != "note"), "takes"),  # type: ignore[misc]  # one of _ORDER
        reasons=tuple(reasons),
        closes=provider.closes,
        closes_newcomers=provider.closes_newcomers,
        open_until=provider.open_until,
        cost=report.cost if report else None,
        not_stated=tuple(
            id_
            for id_, rule in settings.catalogue.items()
            if (rule.limits or rule.claim) and id_ not in settings.bound
        ),
    )


def _as_read(one: ReadableFormats) -> Source:
    """Return the source of *one* with the layout that its conversion reads."""
    described = one.described if one.source.data_format == "llamafactory" else None
    return one.source._replace(layout=described or {})


def _converted(
    settings: Settings, one: Compatibility, samples: Samples, known: KnownImages, today: date
) -> Compatibility:
    """Return *one*, the verdict by *settings*, with that after the conversion of *samples*."""
    if one.verdict == "takes" or any(_closed(one.closes, today)):
        return one

    def check(converted: Settings) -> Report:
        return run(converted, only=telling_rules(converted), known=known)

    return replace(one, after=after_conversion(settings, samples, check, find_reasons, one.reasons))


def _closed(closes: date | None, today: date) -> Iterator[Reason]:
    if closes is not None and closes <= today:
        yield Reason(None, "refuses", 1, f"closed since {closes}")


@without_inner_frames
def compare_providers(  # noqa: PLR0913 - all by keyword, each with a default
    *paths: Paths,
    validation: Paths = (),
    test: Paths = (),
    providers: Paths = (),
    data_format: str | None = None,
    model: str | None = None,
    depth: Depth = "auto",
    offline: bool | None = None,
    allow_private: bool = False,
    proxy: str | None = None,
    url_budget: int | None = None,
    cache: bool = True,
    max_tokens: int | None = None,
    sample: int | None = None,
    image_roots: Paths = (),
    with_loader: bool = False,
    config: Config | str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
) -> ProviderComparison:
    """Return which providers take the files at *paths*, and why the others do not.

    *providers* are names of providers or paths of provider files, by default all shipped ones. *model* and
    *max_tokens* apply to the providers that know them. *sample* is the number of
    examples that are read of each file (0 or None: all). *with_loader* also runs the provider's own reader,
    which is code of others, if it is installed. The other arguments are those of lint().
    Raises UsageError, ConfigError or RuleFileError for invalid arguments and files, and LintError for a file
    that cannot be read or has no examples.
    """
    return compare(
        {
            "provider": strings(providers),
            "config": config,
            "data_format": data_format,
            "model": model,
            "depth": depth,
            "offline": offline,
            "allow_private": allow_private,
            "proxy": proxy,
            "url_budget": url_budget,
            "no_cache": not cache,
            "max_tokens": max_tokens,
            "sample": sample,
            "image_root": strings(image_roots),
            "with_loader": with_loader,
            "jobs": 1,
        },
        strings(paths),
        validation=strings(validation),
        test=strings(test),
        executor=executor,
    )
