"""What a provider says about a dataset that `vft convert` has written for it.

It is told by the first examples, and by the first ones with a fault.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from pytest_vft.compatibility import AfterConversion, CompatibilityVerdict, Reason
from pytest_vft.errors import UsageError
from pytest_vft.formats.writers.base import TRAINING_LOSSES
from pytest_vft.model import Report
from pytest_vft.reading.local_images import image_roots
from pytest_vft.report.conversion import lost_texts, refused_words
from pytest_vft.runs.candidates import for_files
from pytest_vft.runs.conversion_target import find_target
from pytest_vft.runs.samples import Samples
from pytest_vft.runs.settings import Settings

_EFFECTS = ("refuses", "loses")  # that change the verdict
# Facts of a file that a sample does not have.
_COUNTED = frozenset({"bytes", "examples", "image_examples", "pictured_examples", "skipped_examples"})

# Returns the report of a check, and the reasons in a report why the provider does not simply take the files.
Check = Callable[[Settings], Report]
FindReasons = Callable[[Settings, Report], Iterable[Reason]]


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
    settings = for_files(settings, roots=[*settings.roots, *dict.fromkeys(folders)])
    try:
        target = find_target(settings.provider_id or "", settings, prefix, "0" * 12)
        converted = samples.convert(target, settings)
    except UsageError:
        return None
    whole = all(file.is_whole for file in samples.files)
    settings = for_files(settings, sources=converted.sources, jobs=1)
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
    if converted.refused:
        refused.append(refused_words(len(converted.refused), converted.refused))
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
