"""What a conversion makes of examples, from the target and what is in the examples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce

from pytest_vft.converting.plan import ConversionPlan, Images
from pytest_vft.converting.survey import ShardSurvey
from pytest_vft.fixing.plan import RepairPlan
from pytest_vft.formats.writers.base import FileShape
from pytest_vft.model import Source
from pytest_vft.runs.conversion_target import ConversionTarget
from pytest_vft.runs.run import make_plan
from pytest_vft.runs.settings import Settings


@dataclass(frozen=True, slots=True)
class ConversionForm:
    """What is the same for all outputs of a conversion."""

    data_format: str
    shape: FileShape
    images: Images


def find_form(
    target: ConversionTarget,
    surveys: Iterable[ShardSurvey],
    given: Images | None = None,
    *,
    stays_parquet: bool = False,
) -> ConversionForm:
    """Return the form for *target* of files with these *surveys*.

    *given* is how images are passed, if that is stated. Raises UsageError if the target does not take images
    so.
    """
    common, present, _ = reduce(ShardSurvey.joined, surveys)
    data_format = target.data_format(preferences=common.preferences)
    images: Images = "embed" if stays_parquet else target.images(data_format, given, present)
    shape = replace(common.shape(target.shape()), images=bool(present))
    return ConversionForm(data_format, shape, images)


def make_repair_plan(settings: Settings, source: Source, *, judged: bool) -> RepairPlan:
    """Return the plan of safe repairs of the images of *source* by the rules of the provider.

    Images are decoded if they are *judged*: those with a prefix before their names, as the check of the
    result does not open them, and all images if examples may be set aside.
    """
    images = tuple(rule for rule in settings.rules if rule.scope == "image")
    plan = make_plan(settings, images)
    lint = replace(plan, full=judged, cache=plan.cache if judged else None)
    return RepairPlan(lint=lint, source=source, ignored=frozenset(settings.reasons), unsafe=False)


def make_conversion_plan(  # noqa: PLR0913 - three by keyword
    target: ConversionTarget,
    form: ConversionForm,
    settings: Settings,
    repair: RepairPlan,
    *,
    staged: str,
    folder: str,
    judged: bool,
) -> ConversionPlan:
    """Return the plan that writes the file of *repair* in *form* for *target*; no loss is allowed.

    *staged*, *folder* and *judged* are those of the plan.
    """
    return ConversionPlan(
        source=repair.source,
        data_format=form.data_format,
        shape=form.shape,
        target=target.name,
        no_tools=target.no_tools,
        allowed=frozenset(),
        images=form.images,
        repair=repair,
        staged=staged,
        folder=folder,
        prefix=target.prefix,
        judged=judged,
        bucket=target.bucket,
        local="file" in target.takes(form.data_format),
        image_roots=settings.image_roots,
    )
