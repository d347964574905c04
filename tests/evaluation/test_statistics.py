"""Our statistics are those of statsmodels."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_of_statsmodels
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from pytest_vft.evaluation.statistics import (
    Interval,
    answers_to_settle,
    design_effect,
    difference,
    mcnemar,
    one_sided,
    pairs_to_settle,
    two_sided,
    wilson,
)

Z = two_sided(0.95)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (172, 190, 0.855231, 0.939233),
        (167, 190, 0.824908, 0.917967),
        (189, 295, 0.584441, 0.693298),
        (136, 295, 0.405000, 0.518037),
        (0, 10, 0, 0.277533),
        (10, 10, 0.722467, 1),
        (17, 20, 0.639581, 0.947631),
    ],
)
def test_wilson_of_published_counts(right: int, n: int, low: float, high: float) -> None:
    interval = wilson(right / n, n, Z)

    assert interval == pytest.approx((low, high), abs=1e-6)
    assert interval == pytest.approx(proportion_confint(right, n, method="wilson"), abs=1e-9)


@given(
    st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999)
)
def test_wilson_is_that_of_statsmodels(counts: tuple[int, int], level: float) -> None:
    right, n = counts

    expected = proportion_confint(right, n, alpha=1 - level, method="wilson")

    assert wilson(right / n, n, two_sided(level)) == pytest.approx(expected, abs=1e-9)


def test_one_sided_bound_is_the_end_of_a_wider_interval() -> None:
    assert one_sided(0.95) == pytest.approx(two_sided(0.90), abs=1e-12)


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [(5, 0, 0.0625), (10, 5, 0.301758), (13, 8, 0.383310), (20, 5, 0.004077), (0, 0, 1), (7, 7, 1)],
)
def test_mcnemar_of_known_tables(better: int, worse: int, p: float) -> None:
    assert mcnemar(better, worse) == pytest.approx(p, abs=1e-6)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_that_of_statsmodels(better: int, worse: int) -> None:
    expected = mcnemar_of_statsmodels([[3, better], [worse, 5]], exact=True).pvalue if better + worse else 1.0

    assert mcnemar(better, worse) == pytest.approx(expected, abs=1e-9)
    assert mcnemar(better, worse) == mcnemar(worse, better)


def test_mcnemar_of_many_answers_ends() -> None:
    assert mcnemar(20_000, 20_000) == 1
    assert 0 < mcnemar(10_500, 10_000) < 0.001


def test_answers_of_their_own_images_have_no_design_effect() -> None:
    assert design_effect([1, 0, 1, 1], [1, 2, 3, 4]) == 1


def test_answers_that_are_all_alike_have_none() -> None:
    assert design_effect([1, 1, 1, 1], [1, 1, 2, 2]) == 1


def test_answers_that_differ_on_each_image_count_no_more_than_independent_ones() -> None:
    values, clusters = [1, 0] * 50, [number // 2 for number in range(100)]

    assert design_effect(values, clusters) == 1


def test_answers_on_one_image_count_as_one() -> None:
    assert design_effect([1, 0, 1, 1], [1, 1, 1, 1]) == 4


def test_answers_that_agree_on_each_image_count_as_images() -> None:
    values = [number // 5 % 2 for number in range(1_000)]

    assert len(values) / design_effect(values, [number // 5 for number in range(1_000)]) == pytest.approx(
        200, rel=0.01
    )


@pytest.mark.parametrize("seed", range(5))
def test_variance_over_images_is_that_of_statsmodels(seed: int) -> None:
    noise = random.Random(seed)  # noqa: S311 - noise, no secret
    clusters = [noise.randrange(30) for _ in range(200)]
    lean = [noise.random() for _ in range(30)]
    values = [float(noise.random() < lean[cluster]) for cluster in clusters]

    fitted = OLS(values, [1.0] * 200).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    n = len(values)
    mean = sum(values) / n
    independent = sum((value - mean) ** 2 for value in values) / (n * (n - 1))

    assert design_effect(values, clusters) * independent == pytest.approx(fitted.bse[0] ** 2, abs=1e-9)


@pytest.mark.parametrize(("better", "worse", "n"), [(80, 27, 295), (5, 0, 190), (0, 0, 10), (3, 3, 6)])
@pytest.mark.parametrize("effect", [1.0, 2.5])
def test_interval_of_the_difference_is_a_wald_interval_of_more_answers(
    better: int, worse: int, n: int, effect: float
) -> None:
    cells = [better / effect + 0.5, worse / effect + 0.5, (n - better - worse) / effect + 1]
    observed = DescrStatsW([1.0, -1.0, 0.0], weights=cells, ddof=0)
    half = Z * observed.std / math.sqrt(sum(cells))

    interval = difference(better, worse, n, effect, Z)

    assert interval == pytest.approx(
        Interval(max(-1, observed.mean - half), min(1, observed.mean + half)), abs=1e-9
    )


@pytest.mark.parametrize(("share", "minimum"), [(0.879, 0.9), (0.95, 0.9), (0.5, 0.49), (1.0, 0.9)])
@pytest.mark.parametrize("effect", [1.0, 2.2])
def test_so_many_answers_settle_it_and_no_fewer(share: float, minimum: float, effect: float) -> None:
    n = answers_to_settle(share, minimum, effect, Z)
    assert n is not None

    low, high = wilson(share, n / effect, Z)
    assert not low <= minimum <= high
    low, high = wilson(share, (n - 1) / effect, Z)
    assert low <= minimum <= high


def test_no_number_of_answers_settles_an_exact_hit() -> None:
    assert answers_to_settle(0.9, 0.9, 1, Z) is None
    assert pairs_to_settle(5, 5, 100, 1, Z) is None


def test_more_pairs_settle_a_difference() -> None:
    n = pairs_to_settle(10, 5, 190, 1, Z)
    assert n is not None

    scale = n / 190
    assert difference(round(10 * scale), round(5 * scale), n, 1, Z).low == pytest.approx(0, abs=0.002)
