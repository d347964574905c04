"""Create a file or a job exactly once, whatever happens to a request and its answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx2
import openai

from pytest_vft.client import redirect_target
from pytest_vft.errors import ServerError
from pytest_vft.submission.record import Record, Thing
from pytest_vft.submission.server import Server, is_temporary, retry_after

T = TypeVar("T")

# A server that answers with another status may have carried out the request all the same.
_REFUSALS = (400, 401, 402, 403, 404, 405, 409, 410, 411, 413, 414, 415, 421, 422, 428, 429, 431, 451)
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation(Generic[T]):
    """How to create *thing*; messages start with *doing*.

    *find* returns it from the lists of the server. *send* creates it, and adds an entry to the record before
    the server can have the complete request.
    """

    thing: Thing
    doing: str
    find: Callable[[], T | None]
    send: Callable[[], T]
    id_of: Callable[[T], str]


def create_once(server: Server, record: Record, creation: Creation[T]) -> T:
    """Return what *creation* finds or creates, with its id in *record*.

    A request that the server has refused is repeated if it may succeed later. A request whose outcome is
    not known is never repeated: its thing is looked for. Raises openai.APIError for a refusal, and
    ServerError if the outcome stays unknown.
    """
    thing, policy = creation.thing, server.retry_policy
    reason = ""
    for number, wait in enumerate(policy.waits(), start=1):
        unsettled = record.unsettled(thing)
        found = creation.find() if unsettled is None else _search(server, creation)
        if found is not None:
            return _created(record, creation, found)
        if unsettled is not None:
            at = unsettled.at.isoformat(" ", "seconds")
            raise ServerError(_unknown(server, record, creation, reason or f"was sent at {at}"))
        try:
            return _created(record, creation, creation.send())
        except openai.APIError as error:
            if record.unsettled(thing) and may_have_worked(error, thing):
                reason = server.words(error)
                continue
            if record.unsettled(thing):
                record.add(thing, "refused")
            if number >= policy.tries or not is_temporary(error):
                raise
            policy.sleep(max(wait, retry_after(error)))
        except ServerError as error:  # the answer cannot be read
            if not record.unsettled(thing):
                raise
            reason = server.safe(error)
    raise AssertionError("waits never end")


def may_have_worked(error: openai.APIError, thing: Thing) -> bool:
    """Return whether the server may have created *thing* in spite of *error*.

    A redirect may come after a job was created, but not after an upload: a second file would cost nothing.
    """
    if isinstance(error, openai.APIStatusError):
        redirected = redirect_target(error) is not None
        return error.status_code not in _REFUSALS and not (redirected and thing.kind == "file")
    return not isinstance(error.__cause__, _NOT_SENT)


def _created(record: Record, creation: Creation[T], made: T) -> T:
    id_ = creation.id_of(made)
    known = record.created(creation.thing)
    if known is None or known.id != id_:
        record.add(creation.thing, "created", id_=id_)
    return made


def _search(server: Server, creation: Creation[T]) -> T | None:
    """Look for what may have been created until it is listed, or for the time of the retry policy."""
    policy = server.retry_policy
    started = policy.clock()
    for wait in policy.waits():
        with suppress(openai.APIError, ServerError):  # try again
            found = creation.find()
            if found is not None:
                return found
        passed = policy.clock() - started
        if passed >= policy.search:
            return None
        server.notify(
            f"{creation.doing}: the server may have done so already; looking "
            f"({passed:,.0f} of {policy.search:,.0f} s)"
        )
        policy.sleep(min(wait, policy.search - passed))
    raise AssertionError("waits never end")


def _unknown(server: Server, record: Record, creation: Creation[T], reason: str) -> str:
    where = f"delete {record.path} and " if record.path else ""
    return (
        f"{creation.doing}: the outcome of the request is not known ({reason}). The server may have created "
        f"it, but does not list it after {server.retry_policy.search:,.0f} s. Nothing is sent again: run the "
        f"command later to look again; if {server.address} certainly does not have it, {where}run the command"
    )
