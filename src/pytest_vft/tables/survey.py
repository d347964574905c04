"""The first look at the rows of a shard: which can be used, and what decides in which split they are."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from xxhash import xxh3_64_intdigest

from pytest_vft.checking.shard import open_image_store
from pytest_vft.converting.entries import Payloads, shard_entries
from pytest_vft.converting.images import ImageContent, ImagePlacer
from pytest_vft.converting.repairs import ImageFixer
from pytest_vft.converting.shard import line_value
from pytest_vft.evaluation.questions import normalise_id
from pytest_vft.formats.base import ImagePart
from pytest_vft.formats.conversation import NotConvertedError
from pytest_vft.naming import option
from pytest_vft.reading.fingerprint import Fingerprints
from pytest_vft.reading.image_store import ImageStore, content_key
from pytest_vft.reading.images import ImageMeasurements
from pytest_vft.reading.lines import Line
from pytest_vft.reading.shards import Shard
from pytest_vft.tables.columns import BadCellError, Column, as_text, is_number
from pytest_vft.tables.groups import GroupedRow
from pytest_vft.tables.jpegs import as_jpeg
from pytest_vft.tables.plan import BuildPlan, SurveyedRows
from pytest_vft.tables.rows import RowExample, read_row

_HALF = 2**64  # keys are 64 of the 128 bits of a hash, which take half the memory
_MOST_KNOWN = 100_000  # images that are remembered
_OPTION_OF = {"group": "by", "stratum": "stratify"}
_SCHEMES = {"data": "data", "http": "url"}


class RowSurveyor:
    """Surveys the shards of one table by a plan."""

    def __init__(self, plan: BuildPlan) -> None:
        self._plan = plan
        self._images = ImagePlacer(plan.written)
        # The store of a shard has the cache, and measures for the judge.
        self._judge = ImageFixer(replace(plan.judged, lint=replace(plan.judged.lint, cache=None)))
        self._known: dict[tuple[int, bool], str | None] = {}
        self._looks: dict[tuple[int, int], bytes | None] = {}
        self._transports: set[str] = set()
        self._urls: set[str] = set()

    def close(self) -> None:
        """Close the folders of local images."""
        self._images.close()

    def survey(self, shard: Shard) -> SurveyedRows:
        """Return the rows of *shard*. Raises OSError if it cannot be read."""
        self._looks, self._transports, self._urls = {}, set(), set()
        rows: list[GroupedRow | str | None] = []
        with closing(open_image_store(self._plan.judged.lint)) as store:  # its memory is that of a shard
            for entry in shard_entries(shard):
                payloads = Payloads(entry)
                if payloads.line.blank:
                    rows.append(None)
                    continue
                try:
                    rows.append(self._row(payloads, store))
                except NotConvertedError as error:
                    rows.append(str(error))
            measured = store.pop_measured()
        return SurveyedRows(rows, frozenset(self._transports), frozenset(self._urls), self._looks, measured)

    def _row(self, payloads: Payloads, store: ImageStore) -> GroupedRow:
        columns = self._plan.columns
        row = row_of(payloads.line, has_texts=self._plan.has_texts)
        examples = read_row(row, columns, 0, None)
        keys = [] if columns.by is None else [_key_of(columns.by, row, "group")]
        keys += [self._image(image, payloads, store) for image in examples[0].images]
        stratum = 0 if columns.strata is None else _key_of(columns.strata, row, "stratum")
        return GroupedRow(tuple(keys), len(examples), stratum, self._ids(row, examples))

    def _ids(self, row: Mapping[str, Any], examples: Sequence[RowExample]) -> tuple[int, ...]:
        """Return hashes of the ids that have to be unique. Raises NotConvertedError for a missing id."""
        column = self._plan.columns.id
        if column is None or not self._plan.has_ids:
            return ()
        ids = [one.id for one in examples if one.id is not None and one.id.strip()]
        if len(ids) < len(examples):
            raise NotConvertedError(f"the id is empty; {option('id', '{n}')} numbers the examples")
        if any(is_number(name, row) for name in column.names):  # of which the number is not known yet
            return ()
        return tuple(xxh3_64_intdigest(normalise_id(one).encode("utf-8", "surrogatepass")) for one in ids)

    def _image(self, image: ImagePart, payloads: Payloads, store: ImageStore) -> int:
        """Return the key of *image*, that of its content. Raises NotConvertedError if it is refused."""
        kind = "file" if image.local else _SCHEMES.get(image.reference[:4].lower(), "bucket")
        self._transports.add(kind)
        if kind == "url":
            self._urls.add(image.reference)
        content = self._images.content(image, payloads)
        if content is None:
            key = xxh3_64_intdigest(image.reference.encode())
            if self._plan.near:
                self._looks[key, key] = None
            return key
        whole_key = content_key(content.data)
        key = whole_key % _HALF
        known = key, self._plan.near and payloads.has_boxes()  # with which an image is not turned
        if known not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            measured = store.measure_keyed(whole_key, content.data)
            self._known[known] = problem = self._judge.problem(content.data, measured)
            if self._plan.near and problem is None:
                self._look(key, content, measured, payloads, store)
        problem = self._known[known]
        if problem is not None:
            raise NotConvertedError(problem)
        return key

    def _look(
        self,
        key: int,
        content: ImageContent,
        measured: ImageMeasurements,
        payloads: Payloads,
        store: ImageStore,
    ) -> None:
        """Note the fingerprint of the image with *key*, its *content* *measured*, as it is written.

        Raises NotConvertedError if it cannot be written.
        """
        quality = self._plan.quality
        saved = content if quality is None else as_jpeg(content, quality)
        written = self._images.repaired(saved, payloads)
        if written is content:
            self._looks[key, key] = _fingerprint(measured)
            return
        whole_key = content_key(written.data)
        self._looks[key, whole_key % _HALF] = _fingerprint(store.measure_keyed(whole_key, written.data))


def _fingerprint(image: ImageMeasurements) -> bytes | None:
    """Return the fingerprint of *image*: empty for a flat one, None for one that was not decoded."""
    shown = image.content.get(Fingerprints().id, {}).get("fingerprint")
    return a2b_base64(shown) if isinstance(shown, str) else None


def row_of(line: Line, *, has_texts: bool) -> Mapping[str, Any]:
    """Return the row on *line*. Raises NotConvertedError, which says why, if there is none."""
    if has_texts and isinstance(line.value, str):
        raise NotConvertedError(line.value)
    return line_value(line)


def _key_of(column: Column, row: Mapping[str, Any], what: str) -> int:
    try:
        value = column.values(row, 0)
    except BadCellError as error:
        raise NotConvertedError(str(error)) from None
    if value is None or value == "":
        raise NotConvertedError(f"the value for {option(_OPTION_OF[what])} is empty")
    texts: Sequence[str] = [as_text(one) for one in value] if isinstance(value, list) else [as_text(value)]
    return xxh3_64_intdigest("\0".join((what, *texts)).encode("utf-8", "surrogatepass"))
