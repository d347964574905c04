"""Notes of a report, shown beside the findings."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from pytest_vft.checking.results import skipped_lines
from pytest_vft.formats.dataset_info import DATASET_INFO, read_dataset_info, read_description
from pytest_vft.formats.registry import data_formats
from pytest_vft.model import FileResult, Finding, RuleResult, Source
from pytest_vft.reading.remote import FetchResults
from pytest_vft.report.people import skipped_words
from pytest_vft.runs.settings import MAX_TOKENS, Settings
from pytest_vft.runs.sources import shown_path
from pytest_vft.text import count, safe
from pytest_vft.web.network import Network, idle_proxy

if TYPE_CHECKING:
    from pytest_vft.outputs.origin import Origin

_SHOWN = 5  # files in a note


def name_notes(sources: Sequence[Source]) -> Iterator[str]:
    """Yield a note that lists the files whose split is that of their name."""
    named = [f"{source.path} ({source.split})" for source in sources if source.split_from_name]
    if named:
        more = f" and {len(named) - _SHOWN:,} more" if len(named) > _SHOWN else ""
        yield (
            f"split by file name: {', '.join(named[:_SHOWN])}{more}; state splits in [tool.vft.data] or with "
            "--data=FILE, --validation-data and --test-data"
        )


def description_notes(settings: Settings) -> Iterator[str]:
    """Yield a note for each dataset_info.json that cannot be used or is ambiguous, if one may be used."""
    if settings.data_format:
        formats: Sequence[str] = (settings.data_format,)
    else:
        formats = data_formats() if settings.by_data_format else settings.provider.data_formats
    if "llamafactory" not in formats:
        return
    notes: dict[str, None] = {}
    read = cache(read_dataset_info)
    for path in (source.path for source in settings.sources):
        trouble = read_description(path, read).trouble
        if trouble:
            described = os.path.join(os.path.dirname(path), DATASET_INFO)  # noqa: PTH118, PTH120 - a path as the user wrote it
            notes[f"{safe(described, None)}: {trouble}"] = None
    yield from list(notes)[:_SHOWN]


def group_notes(groups: Sequence[Settings]) -> Iterator[str]:
    """Yield notes on different configurations, providers by data formats, and providers that are left out."""
    configs = list(dict.fromkeys(settings.config.path for settings in groups))
    if len(configs) > 1:
        paths = ", ".join("none" if path is None else shown_path(str(path)) for path in configs[:_SHOWN])
        more = f" and {len(configs) - _SHOWN:,} more" if len(configs) > _SHOWN else ""
        yield (
            f"files have {len(configs):,} configurations ({paths}{more}): repeated content is only found "
            "between files with the same configuration; --config=FILE applies one to all files"
        )
    providers = dict.fromkeys(settings.provider.id for settings in groups if settings.by_data_format)
    if len(providers) > 1:
        yield (
            f"files have data formats of {len(providers):,} providers ({', '.join(providers)}): repeated "
            "content is only found between files for the same provider; --provider=NAME applies one to all"
        )

    judging = {settings.provider.id for settings in groups}
    for id_ in dict.fromkeys(id_ for settings in groups for id_ in settings.several):
        if id_ not in judging:
            yield f"{safe(id_)} is not among the results: it states none of the rules of --select"


def allowed_notes(results: Sequence[RuleResult]) -> list[str]:
    """Return a note for each rule that has fewer findings than `allow` tolerates."""
    return [
        f"allow: {result.id} has {count(result.tally.failed, 'finding')} of {result.allowed:,} allowed; "
        f"lower it to {result.tally.failed:,}"
        for result in results
        if result.allowed is not None and result.tally.failed < result.allowed
    ]


def network_notes(network: Network, fetched: FetchResults) -> Iterator[str]:
    """Yield notes about the cache of URLs, the network, and URLs that could not be checked."""
    yield from fetched.warnings
    reached = any(remote.reachable for remote in fetched.remotes.values())
    if fetched.trouble == "no network":
        yield "no host could be reached; is there a network?"
    elif fetched.trouble:
        yield "no host has a trusted certificate; set SSL_CERT_FILE to a file with other certificates"
    elif fetched.remotes and network.proxy:
        yield "URLs were fetched through the proxy of the environment, which resolves host names itself"
    if fetched.remotes and not reached and not network.proxy and idle_proxy():
        yield "a proxy is set in the environment: use it with --proxy=env"
    if fetched.out_of_time:
        yield "the time for all URLs is over; --url-budget=SECONDS gives more, and 0 unlimited time"
    causes = Counter(remote.cause for remote in fetched.remotes.values() if remote.reachable is None)
    del causes[fetched.trouble]
    if causes:
        listed = ", ".join(f"{cause} ({number:,})" for cause, number in causes.most_common(5))
        yield f"{count(causes.total(), 'URL')} not settled: {listed}"


def length_notes(settings: Settings, results: Iterable[RuleResult]) -> Iterator[str]:
    """Yield a note if lengths of examples were not checked because the tokens of images are unknown."""
    limited = {id_ for id_, rule in settings.bound.items() if MAX_TOKENS in rule.limits}
    unknown = any(result.tally.unknown for result in results if result.id in limited)
    if unknown and settings.provider.image_tokens(settings.model) is None:
        model = settings.model
        why = (
            f"the image tokens of {safe(model)} are unknown" if model else "give the model with --model=NAME"
        )
        yield f"lengths of examples with images were not checked: {why}; --max-tokens=0 turns this check off"


def counts_skips(settings: Settings, ids: Container[str]) -> bool:
    """Return whether rules with *ids* include all those on what the provider skips for sure."""
    return all(
        rule.id in ids
        for rule in settings.bound.values()
        if rule.skips and rule.effect != "unknown" and not rule.off
    )


def skip_notes(settings: Settings, files: Sequence[FileResult]) -> Iterator[str]:
    """Yield a note if more examples may be skipped than are skipped for sure, as far as this was checked."""
    skipping = [rule for rule in settings.rules if rule.skips]
    numbers = [skipped_lines(file.bad_lines, skipping) for file in files]
    sure, at_most = sum(number for number, _ in numbers), sum(number for _, number in numbers)
    if at_most > sure and all(counts_skips(settings, file.tallies) for file in files):
        yield f"skipped: {skipped_words(at_most, at_most - sure, 'example')}"


def origin_notes(findings: Iterable[Finding], files: Iterable[FileResult]) -> Iterator[str]:
    """Yield a note for each file with findings that has its origins beside it, about its first finding."""
    first: dict[str, Finding] = {}
    for finding in findings:
        if finding.line is not None:
            first.setdefault(finding.path, finding)
    if not first:
        return
    from pytest_vft.outputs.names import origins_path  # noqa: PLC0415 - for findings only

    for file in files:
        path = origins_path(file.path)
        if file.path in first and os.path.lexists(path):
            from pytest_vft.outputs.origin import read_origins  # noqa: PLC0415 - for few files, and 10 ms

            yield _origin_note(file, first[file.path], safe(path, None), read_origins(path))


def _origin_note(file: FileResult, finding: Finding, beside: str, origins: Sequence[Origin]) -> str:
    in_array = finding.element is not None
    entries = file.examples if in_array else file.lines
    if len(origins) != entries:
        rows = count(len(origins), "row")
        return f"{beside} does not belong to this file: it has {rows}; expected {entries:,}"
    number = (finding.element or 0) if in_array else (finding.line or 1) - 1
    here = f"{safe(file.path, None)}:{f'#{number}' if in_array else number + 1}"
    made_of = f"{safe(origins[number].file, None)}:{safe(origins[number].place)}"
    return f"{here} was made of {made_of}; {beside} has all origins"


def media_notes(files: Sequence[FileResult]) -> Iterator[str]:
    """Yield a note if there are videos, audios or documents, which are not checked."""
    number = sum(file.unchecked_media for file in files)
    if number:
        yield f"not checked: {count(number, 'video, audio or document file')}; vft checks texts and images"


def split_notes(files: Sequence[FileResult]) -> list[str]:
    """Return a note for each training file with questions in which no example has an answer.

    A file that cannot be read, or has another data format, has no questions.
    """
    return [
        f"{file.path}: no example has an answer; if this is the test split, pass it as --test-data"
        for file in files
        if file.split == "train" and file.questions and not file.answered
    ]
