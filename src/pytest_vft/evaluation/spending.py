"""What the requests of a run have cost, and the limits of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from threading import Condition
from typing import Literal, NamedTuple

from pytest_vft.errors import EvaluationError, UsageError, is_mistake
from pytest_vft.naming import option
from pytest_vft.text import count

__tracebackhide__ = is_mistake

_ROUNDING = 1e-9  # of sums of costs

Role = Literal["model", "judge"]


class Prices(NamedTuple):
    """US dollars per million tokens of prompts and of answers."""

    prompt: float
    completion: float


def check_number(
    name: str, value: float | None, low: float, high: float = math.inf, *, whole: bool = False
) -> None:
    """Raise UsageError unless *value* is None or a finite number from *low* to *high*."""
    if value is None:
        return
    valid = isinstance(value, int) or (not whole and isinstance(value, float) and math.isfinite(value))
    if not valid or not low <= value <= high:
        most = f" and at most {high:,g}" if high < math.inf else ""
        kind = "whole number" if whole else "number"
        raise UsageError(f"{option(name)} is {value!r}; expected a {kind} of at least {low:g}{most}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a run: *max_requests* and *max_cost* in US dollars, at *prices*. None is no limit."""

    max_requests: int | None = None
    max_cost: float | None = None
    prices: Prices | None = None


@dataclass(slots=True, kw_only=True)
class Spent:
    """The requests of a run to one model, with their tokens and their cost in US dollars.

    *cost* is None without prices; *without_usage* counts the answers of a server that reports no tokens.
    """

    role: Role
    model: str
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    without_usage: int = 0
    cost: float | None = None


@dataclass(slots=True)
class Spending:
    """What a run has spent, by model; *keys* are those of the requests that the run has made."""

    by_model: dict[tuple[Role, str], Spent] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)

    @property
    def entries(self) -> list[Spent]:
        """What was spent on each model, without models that were not asked."""
        return [spent for spent in self.by_model.values() if spent.requests]

    @property
    def requests(self) -> int:
        """The number of requests to all models."""
        return sum(spent.requests for spent in self.by_model.values())

    @property
    def cost(self) -> float:
        """The cost of all models, in US dollars."""
        return sum(spent.cost or 0.0 for spent in self.by_model.values())

    def __str__(self) -> str:
        return "; ".join(map(_described, self.entries)) or "nothing"


def _described(spent: Spent) -> str:
    cost = "" if spent.cost is None else f", ${spent.cost:.4f}"
    unknown = f", {spent.without_usage:,} without usage" if spent.without_usage else ""
    tokens = f"{spent.prompt_tokens:,} + {spent.completion_tokens:,} tokens"
    return f"{count(spent.requests, 'request')} to the {spent.role} ({tokens}{unknown}{cost})"


class Budget:
    """The requests to one model that a run may still make; safe to use from several threads.

    The limits hold for everything that the run spends, on the model and on its judge. Near the limit of
    cost, a request waits for those in flight: it is made only if it fits at the highest cost so far.
    """

    def __init__(self, spending: Spending, limits: Limits, role: Role, model: str) -> None:
        self._limits = limits
        self._spending = spending
        self._spent = spending.by_model.setdefault((role, model), Spent(role=role, model=model))
        self._settled = Condition()
        self._in_flight = 0
        self._highest = 0.0  # cost of one request

    def take(self, key: str) -> bool:
        """Count a request for *key*, which settle() ends, unless a limit is reached."""
        with self._settled:
            while self._in_flight and self._costs_too_much(self._in_flight + 1):
                self._settled.wait()
            if self.limit_reached is not None:
                return False
            self._spent.requests += 1
            self._spending.keys.add(key)
            self._in_flight += 1
            return True

    def take_again(self) -> bool:
        """Count a repetition of a request in flight, unless the number of requests is reached."""
        with self._settled:
            if self._has_all_requests:
                return False
            self._spent.requests += 1
            return True

    def settle(self, tokens: tuple[int | None, int | None] | None) -> None:
        """End a request: add its *tokens* of prompt and answer, None if the server does not report them.

        *tokens* is None for a request without an answer.
        """
        with self._settled:
            self._in_flight -= 1
            if tokens is not None:
                self._pay(*tokens)
            self._settled.notify_all()

    def _pay(self, prompt_tokens: int | None, completion_tokens: int | None) -> None:
        spent, prices = self._spent, self._limits.prices
        if prompt_tokens is None or completion_tokens is None:
            spent.without_usage += 1
            return
        spent.prompt_tokens += prompt_tokens
        spent.completion_tokens += completion_tokens
        if prices is not None:
            dollars = (prompt_tokens * prices.prompt + completion_tokens * prices.completion) / 1_000_000
            spent.cost = (spent.cost or 0.0) + dollars
            self._highest = max(self._highest, dollars)

    def _costs_too_much(self, requests: int) -> bool:
        """Return whether that many *requests* more could exceed the limit of cost."""
        most = self._limits.max_cost
        return most is not None and self._spending.cost + requests * self._highest > most * (1 + _ROUNDING)

    @property
    def _has_all_requests(self) -> bool:
        most = self._limits.max_requests
        return most is not None and self._spending.requests >= most

    def check(self, done: str) -> None:
        """Raise EvaluationError, which says what is *done*, if the limit of cost was not kept."""
        if (exceeded := self._exceeded) is not None:
            raise EvaluationError(f"{done}; {exceeded}; they are saved, and not paid for again")

    @property
    def _exceeded(self) -> str | None:
        """Why the limit of cost was not kept, None if it was."""
        if self._limits.max_cost is not None and self._spent.without_usage:
            return f"the server reports no token usage, so {option('max-cost')} cannot be kept"
        return f"{option('max-cost')} is exceeded" if self._costs_too_much(0) else None

    @property
    def limit_reached(self) -> str | None:
        """Why no request may be made any more, None if one may."""
        if (exceeded := self._exceeded) is not None:
            return exceeded
        if self._has_all_requests:
            return f"{option('max-requests')} is reached"
        return f"{option('max-cost')} is reached" if self._costs_too_much(1) else None
