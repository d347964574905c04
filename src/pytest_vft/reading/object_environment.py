"""Variables of the environment for object storage: what obstore would panic at is found before."""

from __future__ import annotations

import errno
import os
import re
from urllib.parse import urlsplit

from pytest_vft.reading.object_errors import PREFIXES, ObjectError
from pytest_vft.text import safe

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Parts of headers. The value of GOOGLE_SERVICE_ACCOUNT_KEY is JSON, which may have several lines.
_IN_HEADERS = re.compile(r"(?!GOOGLE_SERVICE).*(KEY|_ID|TOKEN|REGION|SECRET|NAME)")
_NOT_IN_URLS = re.compile(r"[^!#-;=?-\[\]_a-z~]")


def check_environment(scheme: str) -> None:
    """Raise ObjectError, which names the variable, for an endpoint or key that cannot be part of a request.

    *scheme* is s3, gs or az.
    """
    for name, value in os.environ.items():
        if not name.startswith(f"{PREFIXES[scheme]}_"):
            continue
        if "ENDPOINT" in name and not _is_address(value):
            words = "is not a valid URL; expected http://HOST:PORT or https://HOST"
        elif _IN_HEADERS.fullmatch(name) and _CONTROL.search(value):
            words = "has a control character, such as a line break at its end; set it again without"
        else:
            continue
        raise ObjectError(errno.EINVAL, f"{safe(name)} in the environment {words}")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        return False
    return has_place and parts.scheme in ("http", "https") and not _NOT_IN_URLS.search(url)
