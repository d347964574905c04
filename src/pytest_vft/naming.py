"""The names of an evaluation's options in messages: as the command line, pytest or Python spells them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from pytest_vft.options import OPTIONS, PYTEST_EVAL

Interface = Literal["command", "pytest", "python"]

_interface: ContextVar[Interface] = ContextVar("interface", default="python")

# Options that are not keyword arguments of the same name in Python.
_PYTHON = {
    "field": 'keys={{"field": {}}}',
    "judge-images": "Judge(images=True)",
    "judge-itself": "Judge(may_judge_itself=True)",
    "judge-labels": "calibrate({})",
    "judge-prices": "Judge(prices={})",
    "judge-url": "Judge(base_url={})",
    "live": "vft_eval.run(model={})",
    "max-ungraded": "Judge(max_ungraded={})",
    "min-accuracy": "minimum={}",
    "passing": "Judge(passing={})",
    "retry-ungraded": "Judge(retry_ungraded=True)",
}
_LISTS = ("choices", "passing")


@contextmanager
def naming_for(interface: Interface) -> Iterator[None]:
    """Name options in messages as *interface* spells them."""
    token = _interface.set(interface)
    try:
        yield
    finally:
        _interface.reset(token)


def option(name: str, value: str = "") -> str:
    """Return an option of `vft eval`, such as --max-cost=USD, --vft-eval-max-cost=USD or max_cost=USD."""
    interface = _interface.get()
    if interface == "python":
        return _in_python(name, value)
    return f"{_spelled(name, interface)}{f'={value}' if value else ''}"


def _in_python(name: str, value: str) -> str:
    template = _PYTHON.get(name, f"{name.replace('-', '_')}={{}}")
    if not value:
        return template.replace("={}", "")
    if name == "keys":
        key, _, its_name = value.partition("=")
        return template.format(f'{{"{key}": "{its_name}"}}')
    if value.isupper() or value.replace(".", "").isdecimal():  # stands for a value, or is a number
        return template.format(value)
    return template.format(value.split(",") if name in _LISTS else f'"{value}"')


def _spelled(name: str, interface: Interface) -> str:
    if interface == "command":
        return f"--{name}"
    shared = not any(one.name == name and PYTEST_EVAL in one.commands for one in OPTIONS)
    return f"--vft-{name}" if shared else f"--vft-eval-{name}"
