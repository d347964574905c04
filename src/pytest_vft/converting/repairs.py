"""Safe repairs of images for the provider that files are written for: format, mode, orientation, metadata."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from typing import NamedTuple

import orjson
import pybase64

from pytest_vft.catalogue.cases import draw
from pytest_vft.checking.judge import FAIL, RuleJudge, message_on
from pytest_vft.checking.shard import open_image_store
from pytest_vft.facts.image import Image, image_facts, repaired_facts
from pytest_vft.facts.image_facts import ImageFacts
from pytest_vft.facts.references import add_reference_facts
from pytest_vft.fixing.base64_text import decoded
from pytest_vft.fixing.images import IMAGE_REPAIRS, ImageRepairer, ImageState
from pytest_vft.fixing.plan import RepairPlan
from pytest_vft.reading.context import FetchContext
from pytest_vft.reading.image_cache import MeasuredImage
from pytest_vft.reading.image_store import ImageStore, KnownImages
from pytest_vft.reading.images import ImageMeasurements, measure_image


class FixedImage(NamedTuple):
    """An image after its repair, None if there was nothing to repair.

    *problem* is what is wrong with the image then by a rule of severity error, None if nothing is.
    """

    data: bytes | None
    problem: str | None


_AS_IT_IS = FixedImage(None, None)


class ImageFixer:
    """Repairs images by a plan, as `vft fix` does without --unsafe.

    Images that are *known*, or that the cache of the plan has, are not measured again. Others become known.
    """

    def __init__(self, plan: RepairPlan, known: KnownImages | None = None) -> None:
        full = plan.lint.full
        store = ImageStore(full=full, bounded=plan.lint.bounded, known=known)
        self._known = store if known else None
        self._lint = plan.lint
        self._cached: ImageStore | None = None
        judge = RuleJudge(plan.lint)
        mending = [one for one in plan.lint.rules if one.fix in IMAGE_REPAIRS and one.id not in plan.ignored]
        # Most images need no repair, as the rules that lead to one tell; then the others are not judged.
        self._mending = RuleJudge(replace(plan.lint, rules=tuple(mending))).checks
        self._images = ImageRepairer(plan, judge, store)
        payload = pybase64.b64encode(draw("png 64x64 rgb")[1]).decode()
        url = f"data:image/png;base64,{payload}"
        context = FetchContext({}, plan.lint.now)
        key, facts = image_facts((0, url, "auto", False, ()), "user", plan.source.split, store, context)
        if judge.needs_optional("image"):
            add_reference_facts([Image(0, 0, key, facts, url)])
        self._usual = facts  # those of any image whose media type is declared as it is

    def fixed(self, data: bytes, has_boxes: Callable[[], bool], *, judged: bool = True) -> FixedImage:
        """Return the image *data* after its repair, and what is wrong with it then, if it is *judged*.

        *has_boxes* tells whether the example has coordinates, which a turned image would not fit.
        """
        facts = self._facts(self._measured(data))
        if not judged and FAIL not in self._mending["image"](facts):
            return _AS_IT_IS
        return self._fixed(self._state(data, facts), has_boxes)

    def problem(self, data: bytes, measured: ImageMeasurements) -> str | None:
        """Return what is wrong with the image *data*, which has been *measured*, after its repair.

        What the image shows is not judged.
        """
        return self._fixed(self._state(data, self._facts(measured)), lambda: False).problem

    def _fixed(self, state: ImageState, has_boxes: Callable[[], bool]) -> FixedImage:
        if not state.failing:
            return _AS_IT_IS
        data = None
        if any(rule.fix in IMAGE_REPAIRS for rule in state.failing.values()):
            repaired, _ = self._images.repair(state, None, has_boxes=has_boxes())
            if repaired:
                data = repaired.data
                state = self._state(data, self._facts(self._measured(data)))
        about_transport = self._images.failing(self._usual)
        errors = (
            rule
            for id_, rule in state.failing.items()
            if rule.severity == "error" and id_ not in about_transport
        )
        return FixedImage(data, next((message_on(one, state.facts) for one in errors), None))

    def _state(self, data: bytes, facts: ImageFacts) -> ImageState:
        return ImageState(data, facts, self._images.failing(facts))

    def pop_measured(self) -> list[MeasuredImage]:
        """Return what was measured since the last call and is not in the cache, and forget it."""
        store, self._cached = self._cached, None
        if store is None:
            return []
        with closing(store):
            return store.pop_measured()

    def _measured(self, data: bytes) -> ImageMeasurements:
        lint = self._lint
        if self._known:
            return self._known.measure(data)[1]
        if lint.cache:
            self._cached = self._cached or open_image_store(lint)
            return self._cached.measure(data)[1]
        # A store keeps what it measures, of which there may be a million.
        return measure_image(data, full=lint.full, bounded=lint.bounded)

    def _facts(self, measured: ImageMeasurements) -> ImageFacts:
        """Return the facts of an image that has been *measured*, without what it shows."""
        if measured.content:
            measured = measured._replace(content={})
        return repaired_facts(self._usual, measured)


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
