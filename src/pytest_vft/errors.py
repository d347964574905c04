"""Exceptions and the warning of pytest-vft; each message names the place and the next step."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from pytest_vft.text import Safe, safe

P = ParamSpec("P")
T = TypeVar("T")


class VftError(Exception):
    """Base class of all exceptions that pytest-vft raises on purpose.

    The message is one line, in which everything is escaped that is not harmless text: it quotes data,
    names of files and configurations. A message of type Safe is taken as it is.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(message if isinstance(message, Safe) else safe(message, None))


def describe_os_error(error: OSError) -> str:
    """Return the file and the reason of *error*, escaped, on one line."""
    return safe(f"{error.filename}: {error.strerror}" if error.filename else error, None)


class UsageError(VftError, ValueError):
    """An argument or option is invalid."""


class MissingKeyError(UsageError):
    """A request needs an API key, and the environment does not have one."""


class ConfigError(VftError):
    """A configuration file is invalid; the message names file and key."""


class RuleFileError(VftError):
    """A rule or provider file is invalid; the message names file and key."""


class LintError(VftError):
    """A check could not be completed: for example, a worker process died."""


class SubmissionError(VftError):
    """A fine-tuning job cannot be created, or did not succeed."""


class UnfitError(SubmissionError):
    """A fine-tuning job is not planned because its data has errors."""


class ServerError(VftError):
    """A server refuses a request, fails or does not answer."""


class EvaluationError(VftError):
    """Predictions, a test split or an endpoint do not allow a verdict; the message names the place."""


class VftWarning(UserWarning):
    """A rule of severity warning failed on a file; `-W error` turns it into a failure."""


def is_mistake(failure: Any) -> bool:
    """Return whether pytest hides the frames of *failure*, an ExceptionInfo: those of a user's mistake.

    A module whose records are made in tests names this function as __tracebackhide__.
    """
    return isinstance(failure.value, VftError)


def without_inner_frames(function: Callable[P, T]) -> Callable[P, T]:
    """Return *function* with the frames inside it removed from the tracebacks of VftErrors.

    pytest then shows the line of the test that called *function*, which is where the mistake is.
    """

    @wraps(function)
    def call(*arguments: P.args, **options: P.kwargs) -> T:
        __tracebackhide__ = True
        try:
            return function(*arguments, **options)
        except VftError as error:
            raise error.with_traceback(None) from None

    return call
