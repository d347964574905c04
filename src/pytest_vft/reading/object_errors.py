"""Errors of object storage in words of our own: a server's answer may be hostile, and may quote keys."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_vft.text import Safe, safe

INSTALL = 'pip install "pytest-vft[cloud]"'
NO_OBJECT = "no such object"
CHANGED = "the object has changed since the run began; run it again"

_ANSWER = re.compile(r"status code: (\d{3})")
_VALUE = re.compile(r'failed to parse "(.*?)" as (\w+)', re.DOTALL)
_LISTED_KEY = re.compile(r'Encountered object with invalid path: .*?Path "(.*?)"(?: contained|: )', re.DOTALL)
_PANIC = "PanicException"  # of Rust, a BaseException
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_METADATA = re.compile(r"http://(169\.254\.|metadata\.google\.internal)")
_KEYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for a public bucket",
    "gs": "GOOGLE_SERVICE_ACCOUNT, or GOOGLE_SKIP_SIGNATURE=true for a public bucket",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_SKIP_SIGNATURE=true for a "
    "public container",
}
PREFIXES = {"s3": "AWS", "gs": "GOOGLE", "az": "AZURE"}
ODD_KEY = "has an empty folder name, . or .. as one, or a control character, which is not read"
_LONGEST_KEY = 200
_NO_CREDENTIALS = "this machine has no credentials; set {keys}"
# What is wrong, by a pattern for the status and the code in the answer of a server.
_BY_ANSWER = (
    (r"\d+ NoSuchBucket", "no such bucket"),
    (r"\d+ ContainerNotFound", "no such container"),
    (r"\d+ (ExpiredToken|TokenRefreshRequired)", "the credentials have expired; set new ones: {keys}"),
    (r"\d+ RequestTimeTooSkewed", "the clock of this machine is wrong; set it"),
    (r"\d+ (InvalidObjectState|BlobArchived)", "the object is archived; restore it first"),
    (
        r"30\d .*|\d+ (PermanentRedirect|AuthorizationHeaderMalformed)",
        "the bucket is in another region; set AWS_REGION to the region of the bucket",
    ),
    (r"404 .*", NO_OBJECT),
    (r"412 .*", CHANGED),
    (r"416 .*", "the object is empty"),
    (r"40[13] .*", "access denied; the credentials come from the environment: {keys}"),
    # The answer to a HEAD has no code: that of S3 is 400 for old credentials and for another region.
    (r"400 .*", "the server refused; set new credentials if they have expired, and check the region"),
    (r"501 .*", "the server cannot refuse to replace an object; write into a folder, and copy that"),
    (r".*", "the server failed, also when asked again; try again later"),
)
# The same for an error without an answer, by a pattern in the text of obstore.
_BY_TEXT = (
    (r"redirect", "the bucket is in another region; set AWS_REGION to the region of the bucket"),
    (r"kind: Timeout|TimedOut", "the server did not answer in time; {prefix}_TIMEOUT=60s waits longer"),
    (r"scheme is not allowed|BadScheme", "its endpoint is http; {prefix}_ALLOW_HTTP=true allows that"),
    (r"kind: Interrupted|IncompleteBody", "the connection was cut off, also when asked again; run it again"),
    (r"NotPartial", "the server does not read ranges; copy the object to this machine and give the copy"),
    (r"Missing(SecretAccess|Access)Key", "the credentials are not complete; set {keys}"),
    (r"kind: Connect", "no connection to the server; check the network and the endpoint in the environment"),
    (r"[Cc]redential|[Aa]ccount", _NO_CREDENTIALS),
    (r"path segment|parse path", f"the key {ODD_KEY}"),
    (r"", "the request failed; check endpoint, region and credentials in the environment"),
)


class ObjectError(OSError):
    """An object or bucket cannot be read; strerror, which is escaped, says why and what to do."""

    def __init__(self, number: int, words: str, *url: str) -> None:
        super().__init__(number, Safe(words), *url)


class KeyNotReadError(ObjectError):
    """Objects cannot be listed because of the key of one of them; strerror does not say what to do."""


@contextmanager
def in_our_words(scheme: str, url: str) -> Iterator[None]:
    """Raise the ObjectError of described() for any error of obstore inside the block."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == _PANIC:
            raise described(error, scheme, url) from None
        raise


def described(error: BaseException, scheme: str, url: str) -> ObjectError:
    """Return *error* of a request for *url*, which has nothing of the server's answer."""
    if isinstance(error, ObjectError):
        return error
    if listed := _LISTED_KEY.match(str(error)):
        key = safe(listed[1], _LONGEST_KEY)
        which = f"a key that begins with {key}" if key.endswith("/") else f"the key {key}"
        where = safe(url, None)
        return KeyNotReadError(
            errno.EINVAL, f"the objects in {where} cannot be listed: {which} {ODD_KEY}", url
        )
    words = _variable(str(error), PREFIXES[scheme]) or _cause(error).format(
        keys=_KEYS[scheme], prefix=PREFIXES[scheme]
    )
    return ObjectError(errno.EIO, words, url)


def _variable(text: str, prefix: str) -> str | None:
    """Return what is wrong with a variable of the environment if *text*, of an error, quotes its value."""
    found = _VALUE.search(text)
    names = [
        name for name, value in os.environ.items() if name.startswith(prefix) and found and value == found[1]
    ]
    return (
        f"{safe(names[0])} in the environment is not valid; expected a {found[2].lower()}"
        if found and names
        else None
    )


def _cause(error: BaseException) -> str:
    if isinstance(error, ImportError):
        return f"object storage needs obstore: {INSTALL}"
    text = str(error)
    answered = _ANSWER.search(text)
    if _METADATA.search(text[: answered.start() if answered else None]):  # asked if there is nothing else
        return _NO_CREDENTIALS
    if answered:
        code = _CODE.search(text)
        answer = f"{answered[1]} {code[1] if code else ''}"
        return next(words for pattern, words in _BY_ANSWER if re.fullmatch(pattern, answer))
    return next(words for pattern, words in _BY_TEXT if re.search(pattern, text))
