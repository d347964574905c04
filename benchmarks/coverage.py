"""Coverage of the interval of an accuracy, if answers about one image depend on each other.

    python benchmarks/coverage.py [RUNS]

Draws test splits with 5 questions per image, whose answers have an intra-class correlation: the
probability of a right answer follows a beta distribution over the images. Prints, for each
number of images and each accuracy, the share of runs in which the 95 % interval contains the accuracy:
Wilson's interval with all answers as if they were independent, and with the effective number of answers.
"""

from __future__ import annotations

import random
import sys

from pytest_vft.evaluation.statistics import Interval, design_effect, two_sided, wilson

QUESTIONS = 5
CORRELATION = 0.3
MIN_COVERAGE = 0.91
Z = two_sided(0.95)


def draw(noise: random.Random, images: int, accuracy: float) -> list[bool]:
    """Return the answers to a test split; answers about one image are adjacent.

    A beta distribution with a + b = 1 / correlation - 1 has this correlation
    (https://en.wikipedia.org/wiki/Beta-binomial_distribution).
    """
    weight = 1 / CORRELATION - 1
    chances = [noise.betavariate(accuracy * weight, (1 - accuracy) * weight) for _ in range(images)]
    return [noise.random() < chance for chance in chances for _ in range(QUESTIONS)]


def main(runs: int = 4_000) -> None:
    """Print the coverage of both intervals; exit with 1 if that of the clustered interval is too small."""
    lowest = 1.0
    print("images  accuracy  independent  clustered")
    for images in (20, 50, 100, 200):
        clusters = [number // QUESTIONS for number in range(images * QUESTIONS)]
        for accuracy in (0.6, 0.8, 0.9):
            noise = random.Random(f"{images} {accuracy}")  # noqa: S311 - a simulation
            naive = clustered = 0
            for _ in range(runs):
                answers = draw(noise, images, accuracy)
                n, share = len(answers), sum(answers) / len(answers)
                naive += contains(wilson(share, n, Z), accuracy)
                clustered += contains(wilson(share, n / design_effect(answers, clusters), Z), accuracy)
            lowest = min(lowest, clustered / runs)
            print(f"{images:8}  {accuracy:8}  {naive / runs:11.1%}  {clustered / runs:9.1%}")
    print(f"lowest coverage of the clustered interval {lowest:.1%}, at least {MIN_COVERAGE:.0%} is required")
    sys.exit(lowest < MIN_COVERAGE)


def contains(interval: Interval, value: float) -> bool:
    """Return whether *value* is in *interval*."""
    return interval.low <= value <= interval.high


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
