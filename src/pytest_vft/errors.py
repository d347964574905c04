"""Exceptions and the warning of pytest-vft; each message names the place and the next step."""

from __future__ import annotations


class VftError(Exception):
    """Base class of all exceptions that pytest-vft raises on purpose."""


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
