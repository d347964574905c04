"""An example of each form that the data formats have, and files of them with images beside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pytest_vft import lint
from pytest_vft.catalogue.cases import draw
from pytest_vft.catalogue.providers import default_provider
from pytest_vft.model import Report

Example = dict[str, Any]

SIZE = 64  # a side of an image; smaller ones are reported
SYSTEM = {"role": "system", "content": "You read labels."}


def asked(text: str = "<image>Which lot?") -> Example:
    return {"role": "user", "content": text}


def answered(text: str) -> Example:
    return {"role": "assistant", "content": text}


def parts(*found: str | Example) -> list[Example]:
    return [{"type": "text", "text": one} if isinstance(one, str) else one for one in found]


BARE = {"type": "image"}
HUMAN = {"from": "human", "value": "<image>\nWhich lot?"}


def gpt(text: str) -> Example:
    return {"from": "gpt", "value": text}


def png(**source: str) -> Example:
    return {"mimeType": "image/png", **source}


def in_s3(uri: str) -> Example:
    return {"image": {"format": "png", "source": {"s3Location": {"uri": uri}}}}


class Form(NamedTuple):
    """A form of examples: its data format, provider, and the example of a number and an image."""

    data_format: str
    provider: str
    example: Callable[[int, str], Example]


FORMS = {
    "sharegpt": Form(
        "sharegpt", "llamafactory", lambda n, i: {"conversations": [HUMAN, gpt(f"{n}")], "images": [i]}
    ),
    "llava": Form(
        "sharegpt", "llamafactory", lambda n, i: {"id": n, "image": i, "conversations": [HUMAN, gpt(f"{n}")]}
    ),
    "sharegpt ranking": Form(
        "sharegpt",
        "llamafactory",
        lambda n, i: {"conversations": [HUMAN], "chosen": gpt(f"{n}"), "rejected": gpt("?"), "images": [i]},
    ),
    "llamafactory": Form(
        "llamafactory",
        "llamafactory",
        lambda n, i: {"messages": [SYSTEM, asked(), answered(f"{n}")], "images": [i]},
    ),
    "llamafactory, one image": Form(
        "llamafactory", "llamafactory", lambda n, i: {"messages": [asked(), answered(f"{n}")], "images": i}
    ),
    "alpaca": Form(
        "llamafactory",
        "llamafactory",
        lambda n, i: {"instruction": "Which lot?", "input": "<image>", "output": f"{n}", "images": [i]},
    ),
    "alpaca ranking": Form(
        "llamafactory",
        "llamafactory",
        lambda n, i: {"instruction": "<image>Which?", "chosen": f"{n}", "rejected": "?", "images": [i]},
    ),
    "trl": Form(
        "trl",
        "trl",
        lambda n, i: {
            "messages": [
                {"role": "user", "content": parts(BARE, "Which lot?")},
                {"role": "assistant", "content": parts(f"{n}")},
            ],
            "images": [i],
        },
    ),
    "trl, strings": Form(
        "trl", "trl", lambda n, i: {"messages": [asked("Which lot?"), answered(f"{n}")], "image": i}
    ),
    "trl completion": Form(
        "trl",
        "trl",
        lambda n, i: {
            "prompt": [{"role": "user", "content": parts(BARE, "Which lot?")}],
            "completion": [{"role": "assistant", "content": parts(f"{n}")}],
            "images": [i],
        },
    ),
    "trl preference": Form(
        "trl",
        "trl",
        lambda n, i: {
            "prompt": [{"role": "user", "content": parts(BARE, "Which lot?")}],
            "chosen": [{"role": "assistant", "content": parts(f"{n}")}],
            "rejected": [{"role": "assistant", "content": parts("?")}],
            "images": [i],
        },
    ),
    "swift query": Form(
        "swift", "swift", lambda n, i: {"query": "<image>Which lot?", "response": f"{n}", "images": [i]}
    ),
    "swift parts": Form(
        "swift",
        "swift",
        lambda n, i: {
            "messages": [
                {"role": "user", "content": parts({"type": "image", "image": i}, "Which lot?")},
                answered(f"{n}"),
            ]
        },
    ),
    "swift preference": Form(
        "swift",
        "swift",
        lambda n, i: {
            "messages": [asked(), answered(f"{n}")],
            "rejected_response": "?",
            "images": [i],
        },
    ),
    **{
        f"axolotl {key}": Form(
            "axolotl",
            default_provider("axolotl"),
            lambda n, i, key=key: {
                "messages": [
                    SYSTEM,
                    {"role": "user", "content": parts({"type": "image", key: i}, "Which lot?")},
                    answered(f"{n}"),
                ]
            },
        )
        for key in ("path", "url")
    },
    "gemini": Form(
        "gemini",
        default_provider("gemini"),
        lambda n, i: {
            "systemInstruction": {"parts": [{"text": "You read labels."}]},
            "contents": [
                {"role": "user", "parts": [{"fileData": png(fileUri=i)}, {"text": "Which lot?"}]},
                {"role": "model", "parts": [{"text": f"{n}"}]},
            ],
        },
    ),
    "gemini, underscores": Form(
        "gemini",
        default_provider("gemini"),
        lambda n, i: {
            "system_instruction": {"role": "system", "parts": [{"text": "You read labels."}]},
            "contents": [
                {
                    "role": "user",
                    "parts": [{"file_data": {"mime_type": "image/png", "file_uri": i}}, {"text": "Which?"}],
                },
                {"role": "model", "parts": [{"text": f"{n}"}]},
            ],
        },
    ),
    "bedrock": Form(
        "bedrock",
        default_provider("bedrock"),
        lambda n, i: {
            "schemaVersion": "bedrock-conversation-2024",
            "system": [{"text": "You read labels."}],
            "messages": [
                {"role": "user", "content": [in_s3(i), {"text": "Which lot?"}]},
                {"role": "assistant", "content": [{"text": f"{n}"}]},
            ],
        },
    ),
    "bedrock preference": Form(
        "bedrock",
        default_provider("bedrock"),
        lambda n, i: {
            "schemaVersion": "bedrock-conversation-2024",
            "messages": [
                {"role": "user", "content": [in_s3(i), {"text": "Which lot?"}]},
                {
                    "role": "assistant",
                    "candidates": [
                        {"content": [{"text": "?"}], "preferenceLabel": "non-preferred"},
                        {"content": [{"text": f"{n}"}], "preferenceLabel": "preferred"},
                    ],
                },
            ],
        },
    ),
    "openai-preference": Form(
        "openai-preference",
        "openai",
        lambda n, _: {
            "input": {"messages": [SYSTEM, asked(f"Which is lot {n}?")]},
            "preferred_output": [answered(f"{n}")],
            "non_preferred_output": [answered("?")],
        },
    ),
}


def images(number: int = 12) -> list[str]:
    """Write images into the folder images, and return their paths."""
    Path("images").mkdir(exist_ok=True)
    paths = [f"images/{n}.png" for n in range(number)]
    for n, path in enumerate(paths):
        Path(path).write_bytes(draw(f"png {SIZE + n}x{SIZE} rgb")[1])
    return paths


def write(*examples: Any, name: str = "train.jsonl") -> str:
    Path(name).write_text("".join(json.dumps(example) + "\n" for example in examples))
    return name


def examples_of(name: str) -> list[Example]:
    return [FORMS[name].example(n, image) for n, image in enumerate(images())]


def checked(path: str = "train.jsonl", **options: Any) -> Report:
    return lint(path, offline=True, cache=False, **options)


def found(report: Report) -> list[tuple[str, int | None, str]]:
    """Return rule and place of the findings, without the warning for preferences on Bedrock."""
    return [
        (finding.rule, finding.line, finding.pointer)
        for finding in report.findings
        if finding.rule != "example/unsupported-preference"
    ]
