"""The rows of one shard, written as examples of their splits."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from pytest_vft.converting.entries import Payloads, ShardEntry, shard_entries
from pytest_vft.converting.images import ImagePlacer
from pytest_vft.converting.shard import ShardConverter
from pytest_vft.formats.base import ImagePart
from pytest_vft.formats.conversation import ChatTurn, Conversation, NotConvertedError
from pytest_vft.model import SPLITS, Split
from pytest_vft.tables.jpegs import as_jpeg
from pytest_vft.tables.judging import ExampleJudge, may_be_refused
from pytest_vft.tables.plan import LEFT_OUT, SHOWN, BuildPlan, RowsTask, WrittenRows
from pytest_vft.tables.rows import RowExample, read_row
from pytest_vft.tables.survey import row_of

TEST: Split = "test"
_SEVERAL = "several answers"  # a kind of change
_NO_ENTRY = ShardEntry(b"", 0)  # the data URL of a shot is whole


class RowWriter:
    """Writes the shards of one table by a plan."""

    def __init__(self, plan: BuildPlan) -> None:
        self._plan = plan
        self._answered = ShardConverter(plan.written)
        self._unanswered = ShardConverter(plan.unanswered)
        self._judge = ExampleJudge(plan.examples, plan.written)
        self._losses: Counter[str] = Counter()
        self._shown: dict[str, bool] = {}  # the names of the images of shots, and whether each is new
        self._before = self._turns_before()

    def close(self) -> None:
        """Close the folders of local images."""
        self._judge.close()
        self._answered.close()
        self._unanswered.close()

    def write(self, task: RowsTask) -> WrittenRows:
        """Write the rows of *task* to PLACE.SPLIT, and return what was written.

        Raises OSError if the rows cannot be read or the files not be written.
        """
        lines: dict[str, list[int]] = {}
        truths: list[tuple[str | None, tuple[str, ...]]] = []
        refused: dict[int, str] = {}
        losses: Counter[str] = Counter()
        changes: Counter[str] = Counter()
        images = dict(self._shown)
        number = task.example
        with ExitStack() as stack:
            files: dict[Split, BinaryIO] = {}
            for at, (entry, code) in enumerate(zip(shard_entries(task.shard), task.codes, strict=True)):
                if code == LEFT_OUT:
                    number += not (isinstance(entry.raw, bytes) and not entry.raw.strip())
                    continue
                payloads = Payloads(entry)
                row = row_of(payloads.line, has_texts=self._plan.has_texts)
                examples = read_row(row, self._plan.columns, number, self._plan.detail)
                number += len(examples)
                split: Split = "train" if code == SHOWN else SPLITS[code - 1]
                chosen = examples[1:] if code == SHOWN else examples
                converter = self._unanswered if split == TEST else self._answered
                converter.images.changes, converter.images.names = defaultdict(int), {}
                self._losses = Counter()
                try:
                    written = [self._example(one, split, payloads) for one in chosen]
                except NotConvertedError as error:
                    refused[at] = str(error)
                    continue
                if split not in files:
                    place = Path(f"{task.place}.{split}")
                    files[split] = stack.enter_context(place.open("wb", 1024 * 1024))
                for pieces in written:
                    files[split].writelines(pieces)
                lines.setdefault(split, []).extend([at] * len(written))
                truths += [(one.id, one.truths) for one in chosen if split == TEST]
                if split == TEST:  # without answers, nothing is trained on
                    del self._losses["weight"]
                losses.update(self._losses)
                changes.update(converter.images.changes)
                if split != TEST and (several := sum(len(one.truths) > 1 for one in chosen)):
                    changes[_SEVERAL] += several
                images |= converter.images.names
        return WrittenRows(lines, truths, refused, losses, changes, [name for name in images if images[name]])

    def check(self, one: RowExample, payloads: Payloads) -> None:
        """Raise NotConvertedError if the target cannot have *one* as an example of train."""
        self._example(one, "train", payloads)

    def _example(self, one: RowExample, split: Split, payloads: Payloads) -> list[bytes | memoryview]:
        """Return the pieces of the line of *one*. Raises NotConvertedError if the target cannot have it."""
        plan, is_test = self._plan, split == TEST
        converter = self._unanswered if is_test else self._answered
        placer = converter.images
        one = one._replace(images=tuple(self._placed(image, placer, payloads) for image in one.images))
        question, answer = one.turns()
        turns = [*self._before, question, *([] if is_test else [answer])]
        has_id = is_test and one.id is not None and plan.unanswered.data_format == "openai"
        conversation = Conversation(turns, others={"id": one.id} if has_id else {})
        pieces = converter.write_placed(conversation, payloads, self._losses)
        if may_be_refused(turns) and (problem := self._judge.problem(b"".join(pieces), split)):
            raise NotConvertedError(problem)
        return pieces

    def _turns_before(self) -> list[ChatTurn]:
        """Return the turns before each question, with images as the target takes them."""
        plan = self._plan
        turns = [] if plan.system is None else [ChatTurn("system", [plan.system])]
        for turn in plan.shots:
            pieces = [piece if isinstance(piece, str) else self._shot_image(piece) for piece in turn.pieces]
            turns.append(turn._replace(pieces=pieces))
        return turns

    def _shot_image(self, image: ImagePart) -> ImagePart:
        """Return *image* of a shot as the images of other examples are: a file if it was one."""
        plan = self._plan.written
        as_file = plan.images == "keep" and image.local and plan.local
        with closing(ImagePlacer(replace(plan, images="files" if as_file else plan.images))) as placer:
            placed = placer.place(image._replace(local=False), Payloads(_NO_ENTRY))
        self._shown |= placer.names
        return placed

    def _placed(self, image: ImagePart, placer: ImagePlacer, payloads: Payloads) -> ImagePart:
        """Return *image* as the target takes it, saved anew if the plan has a quality."""
        quality = self._plan.quality
        content = None if quality is None else placer.content(image, payloads)
        if quality is None or content is None:
            return placer.place(image, payloads)
        return placer.put(image, as_jpeg(content, quality), payloads)
