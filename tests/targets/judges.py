"""The code of providers and trainers, run on files: `python judges.py JUDGE FILE...`.

Standard output ends with a line of JSON: for each file {"rows", "images", "problem"}, where *images* is the
number of images that were opened, None for code that opens none. The interpreter is that of an environment
with the packages, without pytest-vft.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import partial

Verdict = dict[str, Any]

# A chat template with what every template does: roles, texts, and a token for each image.
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}:"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] or [] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %} {% endfor %}"
)


def together(file: str) -> Verdict:
    """Return what the checker of Together's client says."""
    from together.lib.utils.files import check_file

    report = check_file(file)
    return {
        "rows": report.get("num_samples"),
        "problem": None if report["is_check_passed"] else report["message"],
    }


def trl(file: str) -> Verdict:
    """Return how many images TRL opens: those of rows with a column for images, placed into the messages."""
    from trl.data_utils import prepare_multimodal_messages

    processor, number, opened = _processor(), 0, 0
    for row in _rows(file):
        number += 1
        images = row.get("images")
        if images is None:  # text, for TRL
            continue
        if "chosen" in row:
            prompt = prepare_multimodal_messages(row["prompt"], images=images)
            answers = [prepare_multimodal_messages(row[key], images=[]) for key in ("chosen", "rejected")]
            opened += _pixels(processor, prompt + answers[0])
            _pixels(processor, prompt + answers[1])
        else:
            messages = row["messages"] if "messages" in row else row["prompt"] + row["completion"]
            opened += _pixels(processor, prepare_multimodal_messages(messages, images=images))
    return {"rows": number, "images": opened}


def processor(file: str) -> Verdict:
    """Return how many images a processor of transformers opens in the parts of messages."""
    one, number, opened = _processor(), 0, 0
    for row in _rows(file):
        number += 1
        opened += _pixels(one, row["messages"])
    return {"rows": number, "images": opened}


def google_genai(file: str) -> Verdict:
    """Return whether google-genai's types take the contents, with their images in a bucket."""
    from google.genai import types

    number, images = 0, 0
    for example in _lines(file):
        number += 1
        contents = [types.Content.model_validate(content) for content in example["contents"]]
        if example.get("systemInstruction"):
            types.Content.model_validate(example["systemInstruction"])
        for tool in example.get("tools", ()):
            types.Tool.model_validate(tool)
        found = [part.file_data for content in contents for part in content.parts or () if part.file_data]
        images += sum(
            bool(one.file_uri and one.mime_type in ("image/png", "image/jpeg", "image/webp")) for one in found
        )
    return {"rows": number, "images": images}


def llamafactory(file: str) -> Verdict:
    """Return how many images LLaMA-Factory finds in the rows, each of which it keeps."""
    return _sum(partial.llamafactory(list(_rows(file)), file))


def swift(file: str) -> Verdict:
    """Return how many images ms-swift finds in the rows, each of which it keeps."""
    return _sum(partial.swift(list(_rows(file)), file))


def nova(file: str) -> Verdict:
    """Return how many images Amazon's validator of Nova Forge opens."""
    return {"rows": sum(1 for _ in _lines(file)), "images": partial.nova(file)}


def _sum(images: Iterable[int]) -> Verdict:
    found = list(images)
    return {"rows": len(found), "images": sum(found)}


def _rows(file: str) -> Iterator[Mapping[str, Any]]:
    from datasets import load_dataset

    kind = "parquet" if file.endswith(".parquet") else "json"
    with tempfile.TemporaryDirectory() as cache:
        for row in load_dataset(kind, data_files=file, split="train", cache_dir=cache):
            if any(str(message.get("content")).startswith('[{"') for message in _messages(row)):
                raise ValueError("datasets has stored a list of parts as a string")
            yield row


def _lines(file: str) -> Iterator[Any]:
    with open(file, encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _messages(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in ("messages", "prompt", "completion", "chosen", "rejected", "conversations"):
        value = row.get(key)
        yield from value if isinstance(value, list) else ()


def _processor() -> Any:
    """Return a processor without weights: a token for each byte, images of 28 x 28 pixels."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import CLIPImageProcessorPil, LlavaProcessor, PreTrainedTokenizerFast

    letters = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(sorted(letters))}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
        ),
        tokenizer=PreTrainedTokenizerFast(tokenizer_object=tokenizer, additional_special_tokens=["<image>"]),
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )


def _pixels(processor: Any, messages: Sequence[Any]) -> int:
    """Return the number of images in *messages* that reach the model."""
    found = processor.apply_chat_template([messages], tokenize=True, return_dict=True)
    return len(found.get("pixel_values", ()))


JUDGES: Mapping[str, Callable[[str], Verdict]] = {
    one.__name__: one for one in (together, trl, processor, llamafactory, swift, nova, google_genai)
}


def main() -> None:
    """Print the verdicts on the files on the command line."""
    judge, *files = sys.argv[1:]
    verdicts = []
    for file in list(map(os.path.abspath, files)):
        os.chdir(os.path.dirname(file))  # paths of images are relative to the current folder
        try:
            verdict = JUDGES[judge](file)
        except Exception as error:  # noqa: BLE001 - code of others raises anything
            cause = error.__cause__ or error
            verdict = {"problem": f"{type(cause).__name__}: {' '.join(str(cause).split())[:300]}"}
        verdicts.append({"rows": None, "images": None, "problem": None, **verdict})
    print(f"\n{json.dumps(verdicts)}")


if __name__ == "__main__":
    main()
