"""What a provider says about a dataset that `vft convert` has written for it.

It is told by the first examples, and by the first ones with a fault.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from pytest_vft.compatibility import AfterConversion, CompatibilityVerdict, Reason
from pytest_vft.errors import UsageError
from pytest_vft.formats.detection import detect_format
from pytest_vft.formats.writers.base import TRAINING_LOSSES
from pytest_vft.model import Report, Source
from pytest_vft.outputs.aside import DropLimit
from pytest_vft.outputs.entries import EntryWriter
from pytest_vft.reading.entries import read_entries
from pytest_vft.reading.files import ARRAY, open_file
from pytest_vft.reading.local_images import image_roots
from pytest_vft.reading.shards import LongLine
from pytest_vft.report.conversion import Conversion, lost_texts, refusal_words
from pytest_vft.runs.conversion import convert_files
from pytest_vft.runs.conversion_request import ConversionRequest
from pytest_vft.runs.conversion_target import find_target
from pytest_vft.runs.settings import Settings

_EXAMPLES = 100  # of each file, so that a comparison takes hardly longer
_BYTES = 2 * 1024 * 1024  # of each file
_FAULTY = 3  # examples with a finding of a rule that are tried beyond the first examples
_EFFECTS = ("refuses", "loses")  # that change the verdict
# Facts of a file that a sample does not have.
_COUNTED = frozenset({"bytes", "examples", "image_examples", "pictured_examples", "skipped_examples"})

# Returns the report of a check, and the reasons in a report why the provider does not simply take the files.
Check = Callable[[Settings], Report]
FindReasons = Callable[[Settings, Report], Iterable[Reason]]


class Samples:
    """The first examples of *sources*, and those with the first findings of *reports*.

    They are in a folder that exists in a `with` block.
    """

    def __init__(self, sources: Sequence[Source], reports: Iterable[Report]) -> None:
        self.sources = sources
        self._faulty = _faulty_examples(reports)
        self._folder = TemporaryDirectory(prefix="vft-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    @cached_property
    def files(self) -> Sequence[tuple[Source, bool]]:
        """The examples of each source as a file, and whether they are all. Raises OSError."""
        return [
            _sample(source, Path(self._folder.name, str(number)), self._faulty.get(source.path, ()))
            for number, source in enumerate(self.sources)
        ]


def after_conversion(
    settings: Settings,
    samples: Samples,
    check: Check,
    find_reasons: FindReasons,
    before: Sequence[Reason],
) -> AfterConversion | None:
    """Return the verdict of the provider of *settings* on the sources of *samples* after their conversion.

    The samples are converted and checked; each image behind a URL is assumed to be a sound one. *before* are
    the reasons without a conversion: a sample does not tell whether those that count a whole file are left.
    None is returned if the files cannot be converted at all.
    """
    sources = samples.sources
    style = settings.provider.writes
    takes = set(settings.provider.transports)
    prefix = f"{style.bucket}://BUCKET/FOLDER/" if "bucket" in takes and "file" not in takes else ""
    folders = [folder for source in sources for folder in image_roots(source.path, ())]
    settings = replace(settings, roots=[*settings.roots, *dict.fromkeys(folders)], jobs=1)
    with TemporaryDirectory(prefix="vft-") as folder:
        try:
            request = _request(settings, [one for one, _ in samples.files], prefix, Path(folder, "out"))
            converted = convert_files(request)
        except UsageError:
            return None
        whole = all(is_whole for _, is_whole in samples.files)
        settings = replace(settings, sources=_outputs(sources, converted))
        counted = frozenset() if whole else _counted(settings)
        is_judged = bool(prefix and converted.changes.get("written to files"))
        left = [
            *(reason for reason in before if reason.rule in counted and reason.effect in _EFFECTS),
            *_reasons(settings, check, find_reasons, counted, is_judged=is_judged),
        ]
    unknown = [
        f"{reason.message} (of the files as they are)" if reason.rule in counted else reason.message
        for reason in left
        if reason.rule in counted or reason.effect == "unknown"
    ]
    left = [reason for reason in left if reason.rule not in counted]
    refused = [reason.message for reason in left if reason.effect == "refuses"]
    if converted.refusals:
        refused.append(refusal_words(converted))
    losses = {kind: number for kind, number in converted.losses.items() if kind in TRAINING_LOSSES}
    lost = [*lost_texts(losses), *(reason.message for reason in left if reason.effect == "loses")]
    verdict: CompatibilityVerdict = (
        "refuses" if refused else "unknown" if unknown else "loses" if lost else "takes"
    )
    files = " ".join(shlex.quote(source.path) for source in sources)
    name = settings.provider_id or ""
    command = f"vft convert {files} --to={shlex.quote(name)} --out={settings.provider.id}"
    command += f" --image-prefix={prefix}" * bool(prefix)
    command += " --bucket-owner=ACCOUNT" * prefix.startswith("s3:")
    command += f" --allow-loss={','.join(sorted(losses))}" * bool(losses)
    return AfterConversion(command, verdict, (*refused, *unknown, *lost), sampled=not whole)


def _faulty_examples(reports: Iterable[Report]) -> Mapping[str, Collection[int]]:
    """Return the first examples of each file that have findings of each rule in one of *reports*.

    They are told by their lines, or by their positions in an array.
    """
    found: dict[str, set[int]] = {}
    for report in reports:
        tried: Counter[tuple[str, str]] = Counter()
        for one in report.findings:
            number = one.line if one.element is None else one.element
            if number is not None and tried[one.path, one.rule] < _FAULTY:
                tried[one.path, one.rule] += 1
                found.setdefault(one.path, set()).add(number)
    return found


def _request(settings: Settings, sources: Sequence[Source], prefix: str, out: Path) -> ConversionRequest:
    return ConversionRequest(
        settings=settings,
        sources=sources,
        target=find_target(settings.provider_id or "", settings, prefix, "0" * 12),
        out=out,
        images=None,
        allowed=frozenset(TRAINING_LOSSES),
        limit=DropLimit(drop=True),
        force=False,
        options={},
        pretends=True,
    )


def _sample(source: Source, path: Path, faulty: Collection[int]) -> tuple[Source, bool]:
    """Write the first examples of *source* and the *faulty* ones to *path*.

    Return them as a source, and whether they are all.
    """
    opened = open_file(source.path)
    size, number, is_whole = 0, 0, True
    awaited = set(faulty)
    is_array = opened.container == ARRAY
    with path.open("wb") as file, EntryWriter(file, in_array=is_array) as writer:
        for entry in read_entries(source.path, source.split, opened):
            is_beyond = number >= _EXAMPLES or size > _BYTES
            if is_beyond and not awaited:
                is_whole = False
                break
            place = entry.line if entry.position is None else entry.position
            if isinstance(entry.raw, LongLine) or (is_beyond and place not in awaited):
                is_whole = False
            else:
                writer.add([entry.raw])
                number, size = number + 1, size + len(entry.raw)
            awaited.discard(place)
    return source._replace(path=str(path)), is_whole


def _outputs(sources: Sequence[Source], converted: Conversion) -> tuple[Source, ...]:
    """Return the outputs of *converted* that have examples as sources."""
    found = []
    for source, output in zip(sources, converted.outputs, strict=True):
        if output.kept:
            form = detect_format(output.path, (converted.data_format,))
            found.append(Source(output.path, source.split, form.name, layout=form.layout))
    return tuple(found)


def _counted(settings: Settings) -> frozenset[str]:
    """Return the rules of *settings* that count what is in a whole file."""
    return frozenset(
        rule.id for rule in settings.rules if rule.scope == "file" and _COUNTED & rule.require.keys()
    )


def _reasons(
    settings: Settings, check: Check, find_reasons: FindReasons, counted: Collection[str], *, is_judged: bool
) -> Iterator[Reason]:
    """Yield the reasons in the check by *settings* that are not of the rules *counted*.

    What is unknown is left out if URLs are assumed to be sound, or if *is_judged* says that all images are.
    """
    if not settings.sources:
        return
    report = check(settings)
    for reason in find_reasons(settings, report):
        if reason.rule not in counted and (reason.effect != "unknown" or not (report.urls or is_judged)):
            yield reason
