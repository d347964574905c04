"""What can go wrong besides the data.

    VftError
    ├── UsageError      the caller asked for something that cannot be done
    ├── ConfigError     a configuration file says something wrong
    └── RuleFileError   a rule or provider file says something wrong

    VftWarning          a rule of severity warning failed (under pytest)

Each message names the place and the next step, so that it can be shown to a user as it is.
"""

from __future__ import annotations


class VftError(Exception):
    """Anything pytest-vft raises on purpose."""


class UsageError(VftError, ValueError):
    """An argument or option that cannot be followed."""


class ConfigError(VftError):
    """A configuration file that cannot be followed; names file and key."""


class RuleFileError(VftError):
    """A rule or provider file that cannot be followed; names file and key."""


class VftWarning(UserWarning):
    """A rule of severity warning failed on a file; `-W error` makes it a failure."""
