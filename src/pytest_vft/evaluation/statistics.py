"""Statistics of accuracy: intervals, the comparison of two models, and the sample size for a verdict.

Answers about the same image are not independent, so every interval uses the effective number of
answers: the number of answers divided by the design effect of the images.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

from pytest_vft.errors import UsageError, is_mistake
from pytest_vft.naming import option

__tracebackhide__ = is_mistake

_LEAST_GAP = 1e-12  # between two shares that are not equal
LEVEL = 0.95


class Interval(NamedTuple):
    """A confidence interval that includes both ends."""

    low: float
    high: float


def check_share(name: str, value: float | None) -> None:
    """Raise UsageError unless *value* of the option *name* is None or from 0 to 1."""
    if value is not None and not (isinstance(value, int | float) and 0 <= value <= 1):
        raise UsageError(f"{option(name)} is {_shown(value)}; expected a share from 0 to 1, such as 0.9")


def check_confidence(value: float | None) -> None:
    """Raise UsageError unless *value* is None or between 0 and 1, exclusive."""
    if value is not None and not (isinstance(value, int | float) and 0 < value < 1):
        raise UsageError(
            f"{option('confidence')} is {_shown(value)}; expected a share between 0 and 1, such as 0.95"
        )


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else repr(value)


def two_sided(level: float) -> float:
    """Return the normal quantile z of a two-sided interval at *level*: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + level) / 2)


def one_sided(level: float) -> float:
    """Return the normal quantile z of a one-sided bound at *level*: 1.64 for 0.95."""
    return NormalDist().inv_cdf(level)


def wilson(share: float, n: float, z: float) -> Interval:
    """Return Wilson's score interval of a *share* of *n* answers; *n* may be an effective number.

    Wilson 1927, doi:10.1080/01621459.1927.10502953; recommended by Brown, Cai and DasGupta 2001,
    doi:10.1214/ss/1009213286.
    """
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    scale = 1 + z * z / n
    return Interval(max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale))


def design_effect(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Return the variance of the mean relative to that of independent values, at least 1.

    The variance over clusters is from Miller 2024, arXiv:2411.00640, equation 4, with the usual
    factor G / (G - 1) for G clusters. A single cluster counts as one value. If all values are equal,
    they show no dependence and the effect is 1.
    """
    n = len(values)
    sums: dict[Hashable, float] = {}
    mean = sum(values) / n
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value - mean
    groups = len(sums)
    if groups == 1:
        return float(n)
    spread = sum((value - mean) ** 2 for value in values)
    if groups == n or spread == 0:
        return 1.0
    clustered = groups / (groups - 1) * sum(total**2 for total in sums.values()) / n**2
    return max(1.0, clustered / (spread / (n * (n - 1))))


def mcnemar(better: int, worse: int) -> float:
    """Return the two-sided p of McNemar's exact test: a binomial test of *better* and *worse* at one half.

    McNemar 1947, doi:10.1007/BF02295996. Integer arithmetic supports any number of answers.
    """
    n = better + worse
    term = total = 1
    for k in range(min(better, worse)):
        term = term * (n - k) // (k + 1)
        total += term
    p: float = 2 * total / 2**n
    return min(1.0, p)


def cohen_kappa(counts: Mapping[tuple[str, str], int], z: float) -> tuple[float, Interval] | None:
    """Return Cohen's kappa and its interval of *counts*, by the categories that two raters chose.

    Cohen 1960, doi:10.1177/001316446002000104; the variance is that of Fleiss, Cohen and Everitt 1969,
    doi:10.1037/h0028106. Return None if both raters chose a single category, the same one.
    """
    n = sum(counts.values())
    one: Counter[str] = Counter()
    two: Counter[str] = Counter()
    for (first, second), number in counts.items():
        one[first] += number
        two[second] += number
    chance = sum(one[category] * two[category] for category in one) / n**2
    if chance == 1:
        return None
    agreed = sum(number for (first, second), number in counts.items() if first == second) / n
    kappa = (agreed - chance) / (1 - chance)
    spread = 0.0
    for (first, second), number in counts.items():
        weight = (1 - kappa) * (two[first] + one[second]) / n
        spread += number / n * ((1 - weight) ** 2 if first == second else weight**2)
    variance = max(0.0, spread - (kappa - chance * (1 - kappa)) ** 2) / n
    half = z * math.sqrt(variance) / (1 - chance)
    return kappa, Interval(max(-1.0, kappa - half), min(1.0, kappa + half))


def difference(better: int, worse: int, n: int, effect: float, z: float) -> Interval:
    """Return the interval of the difference between two shares of the same *n* questions.

    *better* and *worse* count the questions that only the first or only the second model got right.
    Agresti and Min 2005, doi:10.1002/sim.1781: a Wald interval after adding half an answer to each of
    the four cells; the cells are first divided by the design *effect*.
    """
    more, less, all_ = better / effect + 0.5, worse / effect + 0.5, n / effect + 2
    middle = (more - less) / all_
    half = z * math.sqrt(more + less - (more - less) ** 2 / all_) / all_
    return Interval(max(-1.0, middle - half), min(1.0, middle + half))


def answers_to_settle(share: float, minimum: float, effect: float, z: float) -> int | None:
    """Return the number of answers at which Wilson's interval would exclude *minimum*; None if none would.

    The interval contains *minimum* as long as the score test does not reject it:
    (share - minimum)² <= z² minimum (1 - minimum) / n.
    """
    if abs(share - minimum) < _LEAST_GAP:
        return None
    return math.floor(effect * z * z * minimum * (1 - minimum) / (share - minimum) ** 2) + 1


def pairs_to_settle(better: int, worse: int, n: int, effect: float, z: float) -> int | None:
    """Return the number of questions at which the interval of the difference would exclude 0.

    Uses the Wald interval of paired differences, whose variance is (better + worse) / n - difference².
    """
    mean = (better - worse) / n
    if mean == 0:
        return None
    variance = (better + worse) / n - mean**2
    return math.floor(effect * z * z * variance / mean**2) + 1
