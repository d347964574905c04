"""Repair of one image, again until nothing is left to repair; a result is taken only if it is better."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

import pybase64

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.judge import FAIL, RuleJudge, is_repairable
from pytest_vft.facts.image import repaired_facts
from pytest_vft.facts.image_facts import ImageFacts
from pytest_vft.fixing.base64_text import decoded
from pytest_vft.fixing.limits import image_limits
from pytest_vft.fixing.metadata import without_metadata
from pytest_vft.fixing.opening import CannotRepairError
from pytest_vft.fixing.plan import LeftOver, Repaired, RepairPlan
from pytest_vft.fixing.redrawing import REDRAWS, redraw
from pytest_vft.reading.image_store import ImageStore

_MOST_ROUNDS = 4  # a repair may show what could not be measured before
# Repairs that move what the coordinates of boxes refer to.
_MOVING = ("rotate",)
# Repairs of an image as such; others are made in its part of the message.
IMAGE_REPAIRS = REDRAWS | {"decode-base64", "declare-media-type", "remove-metadata"}


class ImageState(NamedTuple):
    """An image with its facts, and the rules that it fails by id; *data* is None for what is not base64."""

    data: bytes | None
    facts: ImageFacts
    failing: Mapping[str, Rule]


class RepairedImage(NamedTuple):
    """An image after its repair, the findings that are resolved, and the change in words."""

    data: bytes
    format: str
    repaired: list[Repaired]
    words: str


class ImageRepairer:
    """Repairs images by a plan; *judge* and *store* judge and measure them."""

    def __init__(self, plan: RepairPlan, judge: RuleJudge, store: ImageStore) -> None:
        self._unsafe = plan.unsafe
        self._bounded = plan.lint.bounded
        self._ignored = plan.ignored
        self._judge = judge
        self._store = store
        self._limits = image_limits(rule for rule in judge.rules["image"] if rule.id not in plan.ignored)

    def failing(self, facts: ImageFacts) -> Mapping[str, Rule]:
        """Return the rules, by id, that an image with *facts* fails."""
        rules, verdicts = self._judge.rules["image"], self._judge.checks["image"](facts)
        if FAIL not in verdicts:
            return {}
        return {
            rule.id: rule
            for rule, verdict in zip(rules, verdicts, strict=True)
            if verdict == FAIL and rule.id not in self._ignored
        }

    def repair(
        self, before: ImageState, payload: str | None, *, has_boxes: bool
    ) -> tuple[RepairedImage | None, list[LeftOver]]:
        """Return the repaired image, None if nothing was repaired, and why findings are left.

        *payload* is the base64 text of a data URL; *has_boxes* says that the example has coordinates.
        """
        state = reached = before
        left: dict[str, str] = {}
        for _ in range(_MOST_ROUNDS):
            todo = self._allowed(reached, left, has_boxes=has_boxes)
            better = self._better(reached, todo, payload, left, has_boxes=has_boxes) if todo else None
            if better is None:
                break
            reached = better
            if not _new_errors(before, reached):  # else another step is needed
                state = reached
        for rule in _new_errors(before, reached):
            left.update((id_, f"it would fail {rule.id}") for id_ in before.failing if id_ not in left)
        over = [LeftOver(id_, why) for id_, why in left.items() if id_ in state.failing]
        if state is before or state.data is None:
            return None, over
        resolved = [
            _resolved(rule, before.facts, state.facts)
            for id_, rule in before.failing.items()
            if id_ not in state.failing
        ]
        return RepairedImage(state.data, str(state.facts["format"]), resolved, _words(before, state)), over

    def _allowed(self, state: ImageState, left: dict[str, str], *, has_boxes: bool) -> set[str]:
        """Return the repairs of *state* that may be made; note in *left* why others may not."""
        todo = set()
        for id_, rule in state.failing.items():
            if rule.fix not in IMAGE_REPAIRS or rule.each or not is_repairable(rule, state.facts):
                continue
            if rule.unsafe and not self._unsafe:
                left[id_] = f"--unsafe: {_UNSAFE.get(rule.fix, rule.fix)}"
            elif rule.fix in _MOVING and has_boxes and not self._unsafe:
                left[id_] = "--unsafe: the example has boxes, which are not turned"
            else:
                todo.add(rule.fix)
        return todo

    def _better(
        self,
        state: ImageState,
        todo: Collection[str],
        payload: str | None,
        left: dict[str, str],
        *,
        has_boxes: bool,
    ) -> ImageState | None:
        """Return *state* after *todo* if it fails fewer rules, and no other error that cannot be repaired.

        Return None if that is not so.
        """
        for data in self._attempts(state, todo, payload, left):
            _, measured = self._store.measure(data)
            facts = repaired_facts(state.facts, measured)
            after = ImageState(data, facts, self.failing(facts))
            allowed = self._allowed(after, {}, has_boxes=has_boxes)
            new = [rule for rule in _new_errors(state, after) if rule.fix not in allowed]
            if not new and not state.failing.keys() <= after.failing.keys():
                return after
            for rule in new:
                for id_ in state.failing:
                    left.setdefault(id_, f"it would fail {rule.id}")
        return None

    def _attempts(
        self, state: ImageState, todo: Collection[str], payload: str | None, left: dict[str, str]
    ) -> Iterator[bytes]:
        """Yield possible results of *todo*, the best one first; note in *left* what cannot be done."""
        data, kind = state.data, str(state.facts["format"])
        if "decode-base64" in todo:
            data = decoded(payload) if payload is not None else None
            if data is not None:
                yield data  # the other repairs follow when it is measured
            return
        if data is None:
            return
        orientation = state.facts["orientation"] or 1
        repairs = {*todo, "first-frame"} if self._unsafe else todo
        if REDRAWS & set(todo):
            try:
                for small in (False, True):
                    yield redraw(
                        data,
                        kind,
                        repairs,
                        self._limits,
                        orientation=orientation,
                        bounded=self._bounded,
                        small=small,
                    )
            except CannotRepairError as error:
                left.update({id_: str(error) for id_, rule in state.failing.items() if rule.fix in REDRAWS})
        if "remove-metadata" in todo:
            with suppress(ValueError):
                yield without_metadata(data, kind, orientation)
        elif "declare-media-type" in todo:
            yield data


_UNSAFE: Mapping[str | None, str] = {
    "scale-down": "it is scaled down",
    "first-frame": "only its first frame stays",
}


def _new_errors(before: ImageState, after: ImageState) -> list[Rule]:
    """Return the rules of severity error that fail *after* a repair, but not *before*."""
    new = after.failing.keys() - before.failing.keys()
    return [rule for id_, rule in after.failing.items() if id_ in new and rule.severity == "error"]


def _resolved(rule: Rule, before: ImageFacts, after: ImageFacts) -> Repaired:
    """Return that the finding of *rule* is resolved, with what was there and what is now."""
    pairs = {
        "convert-mode": (before["mode"] or "", after["mode"] or ""),
        "convert-format": (before["format"] or "", after["format"] or ""),
        "declare-media-type": (before["media_type"] or "", after["media_type"] or ""),
        "rotate": (f"orientation {before['orientation']}", "upright"),
        "remove-metadata": ("", "position removed"),
        "decode-base64": ("", "decoded"),
        "first-frame": ("", "first frame kept"),
        "scale-down": ("", "scaled down"),
    }
    return Repaired(rule.id, *pairs.get(rule.fix or "", ("", "repaired with the others")))


def _words(before: ImageState, after: ImageState) -> str:
    """Return the change in words: CMYK 640x480 -> RGB, 41 kB -> 38 kB."""
    old, new = before.facts, after.facts
    shown = [
        (old["format"], new["format"]),
        (old["mode"], new["mode"]),
        (f"{old['width']}x{old['height']}", f"{new['width']}x{new['height']}"),
        (f"orientation {old['orientation']}", f"orientation {new['orientation']}"),
        ("with position" if old["geotagged"] else None, None if new["geotagged"] else "without"),
        (old["media_type"], new["media_type"]),
    ]
    differing = [(one, other) for one, other in shown if one != other and None not in (one, other)]
    if old["mode"] is None:  # it could not be opened
        return f"now {new['format']} {new['mode']} {new['width']}x{new['height']}, {_kilobytes(after.data)}"
    size = "" if before.data is None else f"{_kilobytes(before.data)} -> {_kilobytes(after.data)}"
    words = ", ".join(f"{one} -> {other}" for one, other in differing) or "written anew"
    if before.data == after.data:
        return words
    turned = (old["width"], old["height"]) != (new["width"], new["height"])  # then words have both sizes
    return f"{words}, {size}" if turned else f"{old['width']}x{old['height']} {words}, {size}"


def _kilobytes(data: bytes | None) -> str:
    return f"{-(-len(data or b'') // 1000):,} kB"


def payload_bytes(reference: str) -> bytes | None:
    """Return the image in the data URL *reference*; None if its payload is not base64."""
    with suppress(ValueError):
        return pybase64.b64decode(reference.partition(",")[2], validate=True)
    return None
