"""Which examples of a build their target refuses: those that its check would fail."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.shard import ShardLinter, open_image_store
from pytest_vft.converting.plan import ConversionPlan
from pytest_vft.formats.conversation import ChatTurn
from pytest_vft.model import Split
from pytest_vft.reading.lines import parse_line
from pytest_vft.reading.shards import Shard

_SHORT = 1000  # characters, of which no target refuses as many
_MARKS = "<"  # with which a placeholder of an image starts


class ExampleJudge:
    """Judges lines as they are written, by the rules of *lint*, which are about one example."""

    def __init__(self, lint: LintPlan, written: ConversionPlan) -> None:
        self._store = open_image_store(lint)
        self._linter = ShardLinter(lint, self._store)
        self._written = written

    def close(self) -> None:
        """Close the folders of local images."""
        with closing(self._store):
            self._linter.close()

    def problem(self, line: bytes, split: Split) -> str | None:
        """Return why the target refuses the example on *line* of *split*; None if it does not."""
        written = self._written
        path = f"{written.staged}/{split}.jsonl"  # beside the folder of its images
        shard = Shard(path, split, 0, 0, written.data_format, ignored=written.repair.ignored)
        found = self._linter.lint_entry(shard, line, parse_line(line)).findings
        return found[0].message if found else None


def may_be_refused(turns: Sequence[ChatTurn]) -> bool:
    """Return whether *turns* are long, have several images, or a text that may stand for an image."""
    texts = [piece for turn in turns for piece in turn.pieces if isinstance(piece, str)]
    images = sum(len(turn.pieces) for turn in turns) - len(texts)
    return images > 1 or sum(map(len, texts)) > _SHORT or any(_MARKS in text for text in texts)
