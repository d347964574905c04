"""The plans of a build: how its rows are read, judged and written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_vft.checking.measuring import needed_measurers
from pytest_vft.converting.plan import Images
from pytest_vft.errors import UsageError
from pytest_vft.facts.table import usual_columns
from pytest_vft.fixing.plan import RepairPlan
from pytest_vft.formats.conversation import ChatTurn
from pytest_vft.formats.writers.base import FileShape
from pytest_vft.formats.writers.survey import Survey
from pytest_vft.model import Source
from pytest_vft.naming import option
from pytest_vft.reading.fingerprint import Fingerprints
from pytest_vft.reading.measurers import Measurer
from pytest_vft.runs.build_request import BuildRequest
from pytest_vft.runs.conversion_form import ConversionForm, make_conversion_plan
from pytest_vft.runs.run import make_plan
from pytest_vft.tables.columns import Columns, read_column
from pytest_vft.tables.files import RowFile
from pytest_vft.tables.plan import BuildPlan
from pytest_vft.tables.shard import TEST


def find_columns(request: BuildRequest, rows: Sequence[Mapping[str, Any]], path: str) -> Columns:
    """Return the columns that *request* names or that have usual names in *rows*, the first of *path*.

    Raises UsageError for a missing one.
    """
    if not rows:
        raise UsageError(f"{path}: has no rows; expected objects with columns")
    usual = usual_columns(list(dict.fromkeys(name for row in rows for name in row)))
    texts = {**usual, **request.columns}
    for role in ("question", "answer", "image"):
        if role not in texts:
            raise UsageError(f"{path}: {option(role, 'COLUMN')} is needed: no column has a usual name")
    found = {role: read_column(role, text, rows) for role, text in texts.items()}
    if found["image"].fixed_text is not None:
        raise UsageError(f"{option('image')} is {texts['image']!r}; expected a column")
    return Columns(
        found["question"],
        found["answer"],
        found["image"],
        found.get("id"),
        found.get("by"),
        found.get("stratify"),
    )


@dataclass(frozen=True, slots=True)
class BuildForm:
    """What is the same for all outputs of a build; *is_parquet* says that they are Parquet."""

    data_format: str
    images: Images
    is_parquet: bool
    train: FileShape
    test: FileShape


def find_form(request: BuildRequest, tables: Sequence[RowFile], transports: Collection[str]) -> BuildForm:
    """Return the form of outputs whose images have *transports*.

    Raises UsageError if the target does not take images so.
    """
    target = request.target
    data_format = target.data_format(preferences=False)
    is_parquet = target.reads_parquet and all(table.is_table for table in tables)
    images = "embed" if is_parquet else target.images(data_format, request.images, transports)
    has = Survey(untrained=bool(request.few_shot), system=request.system is not None)
    asked = replace(target.shape(), images=True)
    test = replace(has.shape(asked), last_answer=False)  # a test split has no answers
    return BuildForm(data_format, images, is_parquet, has.shape(asked), test)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFolders:
    """Where images are written, the folder of the outputs, and that of fetched bodies with causes."""

    staged: str
    out: str
    bodies: str | None = None
    causes: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class BuildSetup:
    """What is the same for all tables of a build."""

    request: BuildRequest
    columns: Columns
    form: BuildForm
    folders: BuildFolders


def make_build_plan(setup: BuildSetup, table: RowFile, shots: tuple[ChatTurn, ...] = ()) -> BuildPlan:
    """Return the plan of the rows of *table*, whose questions come after the turns *shots*."""
    request, form, folders = setup.request, setup.form, setup.folders
    settings, source = request.settings, table.cut.source
    rules = tuple(rule for rule in settings.rules if rule.scope == "image")
    measurers = _measurers(request)
    lint = replace(make_plan(settings, rules), measurers=measurers)
    about_one = tuple(rule for rule in settings.rules if rule.scope == "example" and rule.severity == "error")
    judged = RepairPlan(lint=lint, source=source, ignored=frozenset(settings.reasons), unsafe=False)
    plan = make_conversion_plan(
        request.target,
        ConversionForm(form.data_format, form.train, form.images),
        settings,
        replace(judged, lint=replace(lint, full=False, cache=None, measurers=())),
        staged=folders.staged,
        folder=folders.out,
        judged=bool(request.target.prefix),
    )
    written = replace(
        plan,
        allowed=frozenset({"weight"} if shots else ()),
        bodies=folders.bodies,
        causes=folders.causes or {},
        is_table=table.is_table,
    )
    return BuildPlan(
        columns=setup.columns,
        written=written,
        unanswered=replace(
            written, source=source._replace(split=TEST), shape=form.test, allowed=frozenset({"weight"})
        ),
        judged=judged,
        examples=replace(
            make_plan(settings, about_one), full=False, cache=None, max_findings=1, image_roots=(folders.out,)
        ),
        system=request.system,
        shots=shots,
        detail=request.detail,
        quality=None if table.is_encoded else request.quality,
        near=request.near,
        has_texts=table.is_spooled,
        has_ids=TEST in request.splits,
    )


def _measurers(request: BuildRequest) -> tuple[Measurer, ...]:
    """Return the measurers of the check of what is built, and that of images that look alike for --near."""
    settings = request.settings
    sources = [Source(split, split) for split in request.splits]
    found = needed_measurers(settings.rules, sources, detectors=settings.detectors.measurers)
    alike = Fingerprints()
    return (*found, alike) if request.near and alike not in found else found
