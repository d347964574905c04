"""What can go wrong besides the data.

    VftError
    ├── UsageError      the caller asked for something that cannot be done
    │   └── MissingKeyError  it needs an API key, and there is none
    ├── ConfigError     a configuration file says something wrong
    ├── RuleFileError   a rule or provider file says something wrong
    ├── LintError       linting could not be brought to an end
    ├── SubmissionError a fine-tuning job cannot be made, or did not succeed
    │   └── UnfitError  ... because its data has errors
    ├── ServerError     a server refuses, fails or does not answer
    └── EvaluationError predictions or an endpoint from which no verdict can be had

    VftWarning          a rule of severity warning failed (under pytest)

Each message names the place and the next step, so that it can be shown to a user as it is.
"""

from __future__ import annotations


class VftError(Exception):
    """Anything pytest-vft raises on purpose."""


class UsageError(VftError, ValueError):
    """An argument or option that cannot be followed."""


class MissingKeyError(UsageError):
    """What is asked for needs an API key, and the environment holds none."""


class ConfigError(VftError):
    """A configuration file that cannot be followed; names file and key."""


class RuleFileError(VftError):
    """A rule or provider file that cannot be followed; names file and key."""


class LintError(VftError):
    """Linting that could not be brought to an end: a worker process died."""


class SubmissionError(VftError):
    """A fine-tuning job that cannot be made, or that did not succeed."""


class UnfitError(SubmissionError):
    """A fine-tuning job that is not planned, since its data has errors."""


class ServerError(VftError):
    """A server that refuses, fails or does not answer."""


class EvaluationError(VftError):
    """Predictions, a test split or an endpoint from which no verdict can be had; names the place."""


class VftWarning(UserWarning):
    """A rule of severity warning failed on a file; `-W error` makes it a failure."""
