"""Safe repairs of images for the provider that files are written for: format, mode, orientation, metadata."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import orjson
import pybase64

from pytest_vft.catalogue.cases import draw
from pytest_vft.checking.judge import RuleJudge
from pytest_vft.facts.image import Image, image_facts, repaired_facts
from pytest_vft.facts.references import add_reference_facts
from pytest_vft.fixing.base64_text import decoded
from pytest_vft.fixing.images import IMAGE_REPAIRS, ImageRepairer, ImageState
from pytest_vft.fixing.plan import RepairPlan
from pytest_vft.reading.context import FetchContext
from pytest_vft.reading.image_store import ImageStore, KnownImages
from pytest_vft.reading.images import ImageMeasurements, ImageReader
from pytest_vft.text import fill


class FixedImage(NamedTuple):
    """An image after its repair, None if there was nothing to repair.

    *problem* is what is wrong with the image then by a rule of severity error, None if nothing is.
    """

    data: bytes | None
    problem: str | None


class ImageFixer:
    """Repairs images by a plan, as `vft fix` does without --unsafe.

    Images that are *known* are not measured again, and others become known.
    """

    def __init__(self, plan: RepairPlan, known: KnownImages | None = None) -> None:
        full = plan.lint.full
        store = ImageStore(full=full, bounded=plan.lint.bounded, known=known)
        self._known = store if known else None
        self._reader = ImageReader(full=full, bounded=plan.lint.bounded)
        judge = RuleJudge(plan.lint)
        self._images = ImageRepairer(plan, judge, store)
        payload = pybase64.b64encode(draw("png 64x64 rgb")[1]).decode()
        url = f"data:image/png;base64,{payload}"
        context = FetchContext({}, plan.lint.now)
        key, facts = image_facts((0, url, "auto", False, ()), "user", plan.source.split, store, context)
        if judge.needs_optional("image"):
            add_reference_facts([Image(0, 0, key, facts, url)])
        self._usual = facts  # those of any image whose media type is declared as it is

    def fixed(self, data: bytes, has_boxes: Callable[[], bool]) -> FixedImage:
        """Return the image *data* after its repair, and what is wrong with it then.

        *has_boxes* tells whether the example has coordinates, which a turned image would not fit.
        """
        return self._fixed(self._state(data), has_boxes)

    def problem(self, data: bytes, measured: ImageMeasurements) -> str | None:
        """Return what is wrong with the image *data*, which has been *measured*, after its repair.

        What the image shows is not judged.
        """
        return self._fixed(self._judged(data, measured), lambda: False).problem

    def _fixed(self, state: ImageState, has_boxes: Callable[[], bool]) -> FixedImage:
        if not state.failing:
            return FixedImage(None, None)
        data = None
        if any(rule.fix in IMAGE_REPAIRS for rule in state.failing.values()):
            repaired, _ = self._images.repair(state, None, has_boxes=has_boxes())
            if repaired:
                data, state = repaired.data, self._state(repaired.data)
        about_transport = self._images.failing(self._usual)
        errors = (
            rule
            for id_, rule in state.failing.items()
            if rule.severity == "error" and id_ not in about_transport
        )
        return FixedImage(
            data, next((fill(one.message, {**one.params, **state.facts}) for one in errors), None)
        )

    def _state(self, data: bytes) -> ImageState:
        if self._known:
            _, measured = self._known.measure(data)
        else:  # a store keeps what it measures, of which there may be a million
            (measured,) = self._reader.measure([data])
        return self._judged(data, measured)

    def _judged(self, data: bytes, measured: ImageMeasurements) -> ImageState:
        if measured.content:
            measured = measured._replace(content={})
        facts = repaired_facts(self._usual, measured)
        return ImageState(data, facts, self._images.failing(facts))


def decode_strictly(payload: bytes | memoryview) -> bytes | None:
    """Return the image in *payload*, base64 text as RFC 4648 has it; None if it is not."""
    try:
        return pybase64.b64decode(payload, validate=True)
    except ValueError:
        return None


def decode_loosely(payload: bytes | memoryview) -> bytes | None:
    """Return the image in *payload*, which is not quite base64; None if there is none.

    A payload that was taken out of a line is as JSON writes it, with escapes.
    """
    text = bytes(payload)
    if b"\\" in text:
        with suppress(orjson.JSONDecodeError):
            return decoded(orjson.loads(b'"' + text + b'"'))
    return decoded(text.decode("ascii", "replace"))
