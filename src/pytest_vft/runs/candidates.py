"""The settings of a comparison for one provider, with the files that the provider reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pytest_vft.compatibility import Reason
from pytest_vft.errors import LintError
from pytest_vft.formats.dataset_info import read_description
from pytest_vft.formats.detection import FirstExamples, table_columns
from pytest_vft.model import Source
from pytest_vft.reading.files import open_file
from pytest_vft.runs.settings import MAX_TOKENS, Settings
from pytest_vft.text import either, safe

# Properties of settings that do not depend on files.
_BOUND = ("provider", "model", "catalogue", "bound", "detectors", "rules", "reasons")


class Candidate(NamedTuple):
    """The settings for a provider, with the files that it reads, and reasons that need no measuring."""

    settings: Settings
    reasons: tuple[Reason, ...]


class ReadableFormats(NamedTuple):
    """A file with its likeliest data format, its first examples, and its description in dataset_info.json."""

    source: Source
    examples: FirstExamples
    described: Mapping[str, str] | None

    def best_of(self, known: Sequence[str]) -> str | None:
        """Return the one of *known*, the formats of a provider or () for any, that reads the file, if any."""
        name = self.source.data_format
        if not known or self.source.columns:
            return known[0] if known else name
        if self.described is not None and "llamafactory" in known:
            return "llamafactory"
        return self.examples.best_of(known) if self.examples.names else known[0]


def find_formats(source: Source, given: str | None) -> ReadableFormats:
    """Return the formats of *source*: *given*, or those of its first examples. Raises LintError."""
    error = open_file(source.path).error
    if error is not None:
        raise LintError(f"{source.path}: cannot be read: {error}")
    described = read_description(source.path).layout
    examples = FirstExamples(source.path, given)
    names = examples.names
    if described is not None and given is None:
        names = ["llamafactory", *names]
    columns = () if names else table_columns(source.path)
    source = source._replace(data_format=names[0] if names else "openai", columns=columns)
    return ReadableFormats(source, examples, described)


def make_candidate(
    settings: Settings,
    name: str,
    found: Sequence[ReadableFormats],
    *,
    model: str | None,
    max_tokens: int | None,
) -> Candidate:
    """Return the candidate for the provider *name*; *model* and *max_tokens* apply where they are known."""
    own = replace(settings, provider_id=name)
    provider = own.provider
    reasons = []
    if model is not None and provider.accepts(model):
        own = replace(own, model_name=model)
    elif model is not None:
        judged = (
            f"judged for {provider.default_model}" if provider.default_model else "judged without a model"
        )
        reasons.append(
            Reason(None, "note", 1, f"{provider.name} does not have the model {safe(model)}: {judged}")
        )
    if max_tokens is not None and any(MAX_TOKENS in own.catalogue[id_].limits for id_ in provider.rules):
        own = replace(own, max_tokens=max_tokens)
    sources, refused = [], []
    for one in found:
        read = one.best_of(provider.data_formats)
        if read is None:
            refused.append(one.source)
        else:
            layout = one.described if read == "llamafactory" and one.described else {}
            sources.append(one.source._replace(data_format=read, layout=layout))
    if refused:
        reasons.append(_format_reason(refused, provider.data_formats))
    return Candidate(replace(own, sources=tuple(sources)), tuple(reasons))


def for_files(settings: Settings, **files: Any) -> Settings:
    """Return *settings*, which name a provider, with other *files*: sources, roots and the like.

    What is bound to the provider does not depend on files, and is kept.
    """
    other, bound = replace(settings, **files), vars(settings)
    vars(other).update({name: bound[name] for name in _BOUND if name in bound})
    return other


def _format_reason(refused: Sequence[Source], known: Sequence[str]) -> Reason:
    formats = either(list(dict.fromkeys(source.data_format for source in refused)))
    message = f"data format {formats}; expected {either(known)}"
    return Reason(None, "refuses", len(refused), message, refused[0].path)
