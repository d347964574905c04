"""Repair of one entry: values are repaired, and put back into the text as it was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import orjson
import pybase64
from xxhash import xxh3_128_hexdigest

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.judge import RuleJudge, is_repairable
from pytest_vft.checking.shard import ShardLinter, open_image_store
from pytest_vft.encoding import MEDIA_TYPES
from pytest_vft.facts.image import Image, image_facts
from pytest_vft.facts.image_facts import ImageFacts
from pytest_vft.facts.references import add_reference_facts
from pytest_vft.fixing.boxes import has_boxes
from pytest_vft.fixing.declaring import declarations
from pytest_vft.fixing.detail import with_detail_inside
from pytest_vft.fixing.images import IMAGE_REPAIRS, ImageRepairer, ImageState, RepairedImage, payload_bytes
from pytest_vft.fixing.plan import EntryRepair, EntryTask, LeftOver, Repaired, RepairPlan, ValueChange
from pytest_vft.fixing.splice import SpliceError, splice
from pytest_vft.fixing.weight import without_weight
from pytest_vft.formats.base import ImageRow, KeyPath, pointer
from pytest_vft.formats.openai import value_at
from pytest_vft.formats.registry import load_format
from pytest_vft.reading.context import FetchContext
from pytest_vft.reading.lines import Line
from pytest_vft.reading.local_images import LocalImages, image_roots
from pytest_vft.reading.shards import LongLine

_SUFFIXES: Mapping[str, str] = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
_WITH_WEIGHTS = ("openai",)  # data formats in which a message may have a weight
_DATA = "data:"
_DEEPEST = 3  # keys from the place of an image to its reference
_MOST_KEPT = 32 * 1024 * 1024  # bytes of repaired images that are kept for other lines

_Result = tuple[RepairedImage | None, list[LeftOver]]


class _FoundImage(NamedTuple):
    """An image of an example: its row, key and facts, and its place in the example."""

    row: ImageRow
    key: int
    facts: ImageFacts
    place: KeyPath


class EntryRepairer:
    """Repairs the entries of one file by a plan."""

    def __init__(self, plan: RepairPlan) -> None:
        self._plan = plan
        self._format = load_format(plan.source.data_format, plan.source.layout)
        self._store = open_image_store(plan.lint)
        judge = RuleJudge(plan.lint)
        self._images = ImageRepairer(plan, judge, self._store)
        self._refers = judge.needs_optional("image")
        self._linter = ShardLinter(replace(plan.lint, cache=None, max_findings=0), self._store)
        roots = image_roots(plan.source.path, plan.lint.image_roots)
        self._files = LocalImages(roots, self._store, bounded=plan.lint.bounded)
        self._context = FetchContext({}, plan.lint.now, self._files if roots else None)
        self._known: dict[object, _Result] = {}
        self._kept = 0

    def close(self) -> None:
        """Close the cache and the folders of local images."""
        self._linter.close()
        self._store.close()
        self._files.close()

    def repair(self, task: EntryTask) -> EntryRepair:
        """Return the entry of *task* after its repair."""
        line = task.entry.parse()
        result = self._repaired_entry(task, line)
        if self._plan.judge:
            source, resolved = self._plan.source, result.resolved.copy()
            shard = task.entry.shard._replace(
                data_format=source.data_format, layout=source.layout, ignored=self._plan.ignored
            )
            for found in self._linter.lint_entry(shard, task.entry.raw, line).findings:
                if resolved[found.rule, found.pointer]:
                    resolved[found.rule, found.pointer] -= 1
                else:
                    result.findings.append(found)
        return result

    def _repaired_entry(self, task: EntryTask, line: Line) -> EntryRepair:
        """Return the entry of *task*, parsed as *line*, after its repair."""
        raw = task.entry.raw
        if isinstance(raw, LongLine) or line.syntax != "JSON" or not isinstance(line.value, dict):
            return EntryRepair()
        if line.repeated_keys:
            return self._refused(line.value, "a key is on the line twice")
        result, value = EntryRepair(), line.value
        try:
            for edits_of in (self._parts, self._references):
                edits = edits_of(value, task, result)
                if edits:
                    raw = result.raw = splice(raw, edits)
                    value = orjson.loads(raw)
        except SpliceError as error:
            return self._refused(line.value, str(error))
        return result

    def _refused(self, value: Any, why: str) -> EntryRepair:
        """Return that nothing is repaired in *value*, because of *why*."""
        refused = EntryRepair()
        for image in self._found(value):
            rules = self._images.failing(image.facts).values()
            refused.left.update(LeftOver(rule.id, why) for rule in rules if is_repairable(rule, image.facts))
        return refused

    def _found(self, value: Any) -> Iterator[_FoundImage]:
        """Yield the images of the example *value*."""
        for position, role, _, _, rows, _, _, _ in self._format.read(value).rows:
            for row in rows:
                key, facts = image_facts(row, role, self._plan.source.split, self._store, self._context)
                facts["unknown_keys"] = row[4]
                if self._refers:
                    add_reference_facts([Image(position, row[0], key, facts, row[1])])
                path = ("messages", position, "content", row[0])
                yield _FoundImage(row, key, facts, self._format.place(value, path))

    def _parts(self, value: Any, task: EntryTask, result: EntryRepair) -> dict[KeyPath, Any]:
        """Return the new values of messages and content parts by their places."""
        edits: dict[KeyPath, Any] = {}
        for id_, written in task.unweighted:
            path = _path(value, written)
            if self._plan.source.data_format not in _WITH_WEIGHTS:
                result.left[LeftOver(id_, f"{self._plan.source.data_format} has no weights")] += 1
                continue
            edits[path] = without_weight(value_at(value, path))
            result.add([Repaired(id_, "", "weight 0")], written, ValueChange(written, "weight 0"))
        for image in self._found(value):
            for rule in self._images.failing(image.facts).values():
                faults = {fault.words for fault in image.facts["unknown_keys"]}
                if rule.fix != "move-detail" or not faults & set(rule.fix_faults):
                    continue
                part = with_detail_inside(value_at(value, image.place))
                moved = part and self._images.failing({**image.facts, "detail": part["image_url"]["detail"]})
                if moved and moved.keys() - self._images.failing(image.facts).keys():
                    result.left[LeftOver(rule.id, "image_url cannot have this detail")] += 1
                    continue
                if part is None:
                    result.left[LeftOver(rule.id, "image_url has another detail")] += 1
                    continue
                edits[image.place] = part
                place = pointer((*image.place, "detail"))
                words = "detail moved into image_url"
                result.add([Repaired(rule.id, "", "detail moved")], place, ValueChange(place, words))
        return edits

    def _references(self, value: Any, task: EntryTask, result: EntryRepair) -> dict[KeyPath, Any]:
        """Return the new references to images by their places."""
        edits: dict[KeyPath, Any] = {}
        boxed: bool | None = None
        for image in self._found(value):
            failing = self._images.failing(image.facts)
            if not any(rule.fix in IMAGE_REPAIRS for rule in failing.values()):
                continue
            if boxed is None:
                boxed = isinstance(task.entry.raw, bytes) and has_boxes(task.entry.raw)
            repaired, left = self._repaired(image, failing, has_boxes=boxed)
            result.left.update(left)
            place = _reference_place(value, image)
            if repaired is None or place is None:
                continue
            new = self._reference(repaired, value_at(value, place), result, local=image.row[3])
            declared = declarations(value, place, MEDIA_TYPES[repaired.format])
            edits |= {at: now for at, now in ((place, new), *declared) if now != value_at(value, at)}
            result.add(repaired.repaired, pointer(image.place), ValueChange(pointer(place), repaired.words))
        return edits

    def _repaired(self, image: _FoundImage, failing: Mapping[str, Rule], *, has_boxes: bool) -> _Result:
        """Return the repaired *image*, of which the last ones are kept: many lines may have it."""
        reference, local, facts = image.row[1], image.row[3], image.facts
        known = image.key, local, facts["media_type"], tuple(failing), has_boxes
        if known not in self._known:
            payload = None if local else reference.partition(",")[2]
            data = self._files.read(reference) if local else payload_bytes(reference)
            state = ImageState(data, facts, failing)
            result = self._known[known] = self._images.repair(state, payload, has_boxes=has_boxes)
            self._kept += len(result[0].data) if result[0] else 0
            if self._kept > _MOST_KEPT:
                self._known, self._kept = {known: result}, 0
        return self._known[known]

    def _reference(self, image: RepairedImage, written: str, result: EntryRepair, *, local: bool) -> str:
        """Return the new reference to *image* in place of *written*; a *local* image becomes a new file."""
        if local:
            digest = xxh3_128_hexdigest(image.data)
            name = f"{self._plan.image_folder}/{digest}{_SUFFIXES[image.format]}"
            result.images[name] = image.data
            return name
        payload = pybase64.b64encode(image.data).decode("ascii")
        if written[: len(_DATA)].lower() != _DATA:  # bare base64
            return payload
        return f"{_DATA}{MEDIA_TYPES[image.format]};base64,{payload}"


def _reference_place(value: Any, image: _FoundImage) -> KeyPath | None:
    """Return the place in the example *value* of the text that refers to *image*; None if there is none.

    Formats write it in different keys below the place of the image, and base64 also without a data URL.
    """
    reference = image.row[1]
    wanted = (
        {reference, reference.partition(",")[2]} if reference[: len(_DATA)].lower() == _DATA else {reference}
    )
    places: list[KeyPath] = [image.place]
    for place in places:
        inner = value_at(value, place)
        if isinstance(inner, str) and inner in wanted:
            return place
        if isinstance(inner, dict) and len(place) < len(image.place) + _DEEPEST:
            places += [(*place, key) for key in inner]
    return None


def _path(value: Any, written: str) -> KeyPath:
    """Return the JSON pointer *written*, of a value inside *value*, as keys and indexes."""
    path: list[str | int] = []
    for text in written.split("/")[1:]:
        key = text.replace("~1", "/").replace("~0", "~")
        path.append(int(key) if isinstance(value, list) else key)
        value = value[path[-1]]
    return tuple(path)
