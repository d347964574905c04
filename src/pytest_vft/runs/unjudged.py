"""Why answers cannot be judged."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_vft.errors import UsageError
from pytest_vft.evaluation.predictions import Answer
from pytest_vft.evaluation.scoring import Kind
from pytest_vft.naming import option
from pytest_vft.text import count, safe

_SHOWN_TRUTHS = 4


def no_judge() -> UsageError:
    """Return the error for open answers that nothing can score."""
    return UsageError(
        f"open answers need a judge: {option('judge', 'MODEL')}, "
        f"or a metric that compares texts: {option('metric', 'normalised_exact')}"
    )


def no_questions(kind: Kind | None, answers: Sequence[Answer]) -> str:
    """Return why *answers* have none of *kind*, and what makes a question closed."""
    truths = list(dict.fromkeys(answer.truth for answer in answers if answer.truth is not None))
    number = count(len(answers), "question")
    if kind is None or not truths:
        return f"none of {number} can be judged: no prediction and no actual answer"
    if kind == "open":
        return f"there are no open questions: the actual answers of all {number} are Yes, No or choices"
    shown = ", ".join(repr(safe(truth)) for truth in truths[:_SHOWN_TRUTHS])
    more = ", ..." if len(truths) > _SHOWN_TRUTHS else ""
    is_list = 1 < len(truths) <= _SHOWN_TRUTHS and not any("," in truth for truth in truths)
    choices = ",".join(map(safe, truths)) if is_list else "LIST"  # a single one tells no others
    return (
        f"there are no closed questions: the actual answers of {number} are {shown}{more}, and none is Yes, "
        f"No or a choice; name the choices: {option('choices', choices)}"
    )
