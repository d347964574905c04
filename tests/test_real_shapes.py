"""Datasets in shapes that people really have: what is valid stays silent, what is planted is found."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from pytest_vft.cli import main

EXAMPLES = Path(__file__).parents[1] / "examples"

Example = dict[str, Any]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[dict[str, Any]]]]:
    """Runs `vft check`, and returns its exit code and findings."""

    def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
        code = main(["check", "--format=json", *arguments])
        return code, json.loads(capsys.readouterr().out)["findings"]

    return run


def drawn(seed: int, file_format: str = "JPEG", **options: Any) -> str:
    """Return the data URL of an image of noise, a different one for each *seed*."""
    image = Image.frombytes("RGB", (48, 32), random.Random(seed).randbytes(48 * 32 * 3))  # noqa: S311 - no secret
    target = BytesIO()
    image.save(target, file_format, **options)
    data = base64.b64encode(target.getvalue()).decode()
    return f"data:image/{file_format.lower()};base64,{data}"


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def image(url: str, **more: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def turn(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def ask(question: str, answer: str, *urls: str) -> Example:
    return {"messages": [turn("user", [text(question), *map(image, urls)]), turn("assistant", answer)]}


def few_shot_vqa() -> Iterator[Example]:
    """Each line has six few-shot turns with images before a numbered question about a book cover."""
    shots = []
    for number in range(6):
        shots += [
            turn("user", [text(f"Example {number}: Who wrote this book?"), image(drawn(1_000 + number))]),
            turn("assistant", [text(f"Author {number}")], weight=0),
        ]
    kinds = ("Who wrote this book?", "What is the title of this book?", "Is this a religious book?")
    for number in range(36):
        question = [text(f"Question [{number}]: {kinds[number % 3]}"), image(drawn(number // 3))]
        system = turn("system", [text("Answer the question about the book on the image.")])
        answer = turn("assistant", [text("No" if number % 3 == 2 else f"Words {number}")])
        yield {"messages": [system, *shots, turn("user", question), answer]}


def few_shot_vqa_without_numbers() -> Iterator[Example]:
    for example in few_shot_vqa():
        example["messages"][-2]["content"][0]["text"] = example["messages"][-2]["content"][0]["text"].split(
            ": "
        )[1]
        yield example


def five_captions_a_image() -> Iterator[Example]:
    """As in COCO and Flickr30k: the same question on the same image, unlike answers."""
    for number in range(25):
        yield ask(f"Write caption {number % 5 + 1} of 5.", f"A caption, number {number}.", drawn(number // 5))


def several_questions_on_one_image() -> Iterator[Example]:
    for number in range(24):
        question = ("What is it?", "Which colour is it?", "How many are there?", "Is it large?")[number % 4]
        yield ask(question, "Yes." if number % 4 == 3 else f"{number}", drawn(number // 4))


def one_question_on_many_images() -> Iterator[Example]:
    for number in range(30):
        yield ask("Is there a dog?", "Yes" if number % 2 else "No", drawn(number))


def text_only_lines_mixed_in() -> Iterator[Example]:
    for number in range(20):
        if number % 2:
            yield ask(f"What is on image {number}?", f"It is {number}.", drawn(number))
        else:
            messages = [turn("user", f"What is {number} + 1?"), turn("assistant", f"{number + 1}")]
            yield {"messages": [turn("system", "You can count."), *messages]}


def text_only() -> Iterator[Example]:
    for number in range(12):
        yield {"messages": [turn("user", f"What is {number} + 1?"), turn("assistant", f"{number + 1}")]}


def photos_of_phones() -> Iterator[Example]:
    """JPEG files with EXIF, an ICC profile, thumbnails, progressive scans; taken upright."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.Model] = "Phone 12"
    exif[ExifTags.Base.Orientation] = 1
    exif[ExifTags.Base.DateTime] = "2026:11:21 10:00:00"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] = 0.01
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSVersionID] = b"\2\3\0\0"  # and no position
    for number in range(12):
        url = drawn(number, exif=exif, progressive=bool(number % 2), quality=95, icc_profile=b"profile " * 9)
        yield ask("Which dish is this?", f"Dish {number}.", url)


def photos_with_two_frames() -> Iterator[Example]:
    """What phones write with depth or motion: JPEG files that Pillow calls MPO."""
    for number in range(12):
        first, second = (Image.new("RGB", (48, 32), (20 * number, 20, shade)) for shade in (0, 255))
        target = BytesIO()
        first.save(target, "MPO", save_all=True, append_images=[second])
        url = "data:image/jpeg;base64," + base64.b64encode(target.getvalue()).decode()
        yield ask("Which dish is this?", f"Dish {number}.", url)


def all_formats() -> Iterator[Example]:
    for number in range(12):
        file_format = ("JPEG", "PNG", "WEBP")[number % 3]
        yield ask(f"What is on image {number}?", f"It is {number}.", drawn(number, file_format))


def transparent_images() -> Iterator[Example]:
    for number in range(12):
        target = BytesIO()
        Image.new("RGBA", (40, 40), (number, 100, 200, 128)).save(target, "PNG")
        url = "data:image/png;base64," + base64.b64encode(target.getvalue()).decode()
        yield ask("Which logo is this?", f"Logo {number}.", url)


def details() -> Iterator[Example]:
    for number in range(12):
        part = image(drawn(number), detail=("low", "high", "auto")[number % 3])
        messages = [turn("user", [part, text("What is this?")]), turn("assistant", f"It is {number}.")]
        yield {"messages": messages}


def images_alone() -> Iterator[Example]:
    for number in range(12):
        messages = [turn("user", [image(drawn(number))]), turn("assistant", f"It is {number}.")]
        yield {"messages": [turn("system", "Say what you see."), *messages]}


def ten_images_on_a_line() -> Iterator[Example]:
    for number in range(10):
        yield ask("Which one is odd?", f"Number {number}.", *(drawn(10 * number + one) for one in range(10)))


def answers_in_parts() -> Iterator[Example]:
    for number in range(12):
        answer = [text(f"It is {number}."), text("Nothing else.")]
        yield {
            "messages": [
                turn("user", [text("What is it?"), image(drawn(number))]),
                turn("assistant", answer),
            ]
        }


def two_user_turns_in_a_row() -> Iterator[Example]:
    for number in range(12):
        messages = [turn("user", [image(drawn(number))]), turn("user", "What is this?")]
        yield {"messages": [*messages, turn("assistant", f"It is {number}.")]}


def conversations() -> Iterator[Example]:
    for number in range(12):
        messages = [turn("user", [text("What is this?"), image(drawn(number))])]
        for question in range(3):
            messages += [turn("assistant", f"{number}-{question}"), turn("user", f"And then, {question}?")]
        yield {"messages": [*messages, turn("assistant", f"The end of {number}.")]}


def tool_calls() -> Iterator[Example]:
    parameters = {"type": "object", "properties": {"isbn": {"type": "string"}}}
    function = {
        "name": "look_up",
        "description": "Looks a book up.",
        "parameters": parameters,
        "strict": True,
    }
    for number in range(12):
        arguments = json.dumps({"isbn": str(number)})
        call = {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": "look_up", "arguments": arguments},
        }
        messages = [
            turn("system", "Use the tools."),
            turn("user", [text("Who wrote this?"), image(drawn(number))]),
            {"role": "assistant", "tool_calls": [call]},
            turn("tool", f'{{"author": "Author {number}"}}', tool_call_id=f"call_{number}"),
            turn("assistant", f"Author {number}"),
        ]
        tools = [{"type": "function", "function": function}]
        yield {"messages": messages, "tools": tools, "parallel_tool_calls": False}


def calls_as_the_last_word() -> Iterator[Example]:
    for example in tool_calls():
        yield {**example, "messages": example["messages"][:3]}


def names_weights_and_refusals() -> Iterator[Example]:
    for number in range(12):
        first = turn("user", [text("Who is this?"), image(drawn(number))], name="maren")
        refusal = turn("assistant", None, refusal="I cannot tell.", weight=0)
        yield {"messages": [first, refusal, turn("user", "Try."), turn("assistant", f"{number}.", weight=1)]}


def all_languages() -> Iterator[Example]:
    words = (
        "これは何ですか",
        "Что это?",
        "ما هذا؟",
        "Qu'est-ce que c'est ?",
        "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}?",
        "one\u2028two",
        "one\ttwo\r\nthree",
        "\N{RIGHT-TO-LEFT MARK}שלום",
    )
    for number in range(16):
        yield ask(words[number % 8], words[(number + 1) % 8], drawn(number))


SHAPES = (
    few_shot_vqa,
    few_shot_vqa_without_numbers,
    five_captions_a_image,
    several_questions_on_one_image,
    one_question_on_many_images,
    text_only_lines_mixed_in,
    text_only,
    photos_of_phones,
    photos_with_two_frames,
    all_formats,
    transparent_images,
    details,
    images_alone,
    ten_images_on_a_line,
    answers_in_parts,
    two_user_turns_in_a_row,
    conversations,
    tool_calls,
    calls_as_the_last_word,
    names_weights_and_refusals,
    all_languages,
)

WRITERS = {
    "plain": lambda one: json.dumps(one) + "\n",
    "compact": lambda one: json.dumps(one, separators=(",", ":"), ensure_ascii=False) + "\n",
    "sorted": lambda one: json.dumps(one, sort_keys=True) + "\n",
    "of Windows": lambda one: json.dumps(one) + "\r\n",
    "of PHP": lambda one: json.dumps(one).replace("/", r"\/") + "\n",
}


@pytest.mark.parametrize("provider", ["openai", "azure"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_valid_shape_is_silent(check: Any, shape: Callable[[], Iterator[Example]], provider: str) -> None:
    Path("train.jsonl").write_text("".join(map(WRITERS["plain"], shape())))

    assert check("train.jsonl", f"--provider={provider}", "--require-checked") == (0, [])


@pytest.mark.parametrize("writer", WRITERS)
def test_valid_file_is_silent_whoever_wrote_it(check: Any, writer: str) -> None:
    for shape in (few_shot_vqa, tool_calls, all_languages):
        content = "".join(map(WRITERS[writer], shape()))
        Path("train.jsonl").write_bytes(content.encode())
        assert check("train.jsonl", "--require-checked") == (0, [])
        Path("train.jsonl").write_bytes(content.rstrip().encode())  # without an end of its last line
        assert check("train.jsonl", "--require-checked") == (0, [])


def test_splits_of_one_dataset_are_silent(check: Any) -> None:
    """All splits have the few-shot turns, and the test split has no answers."""
    examples = list(few_shot_vqa())
    for example in examples[24:]:
        del example["messages"][-1]
    for name, part in (("train", examples[:12]), ("validation", examples[12:24]), ("test", examples[24:])):
        Path(f"{name}.jsonl").write_text("".join(map(WRITERS["plain"], part)))

    done = check(
        "train.jsonl", "--validation-data=validation.jsonl", "--test-data=test.jsonl", "--require-checked"
    )

    assert done == (0, [])


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_images_behind_urls_are_not_found_wanting(check: Any, scheme: str) -> None:
    """They are not fetched, so nothing is known of them."""
    examples = [
        ask("What is this?", f"It is {n}.", f"{scheme}://example.com/{n}.jpg?size=1#x") for n in range(12)
    ]
    Path("train.jsonl").write_text("".join(map(WRITERS["plain"], examples)))

    assert check("train.jsonl") == (0, [])


# The examples of this project


def test_clean_example_is_silent(check: Any) -> None:
    books = EXAMPLES / "books"

    done = check(
        str(books / "train.jsonl"),
        f"--validation-data={books / 'validation.jsonl'}",
        f"--test-data={books / 'test.jsonl'}",
        "--require-checked",
    )

    assert done == (0, [])


def test_faulty_example_has_the_planted_faults_and_no_others(check: Any) -> None:
    faulty = EXAMPLES / "faulty"
    planted = json.loads((faulty / "planted.json").read_bytes())

    code, findings = check(str(faulty / "train.jsonl"), f"--validation-data={faulty / 'validation.jsonl'}")

    assert code == 1
    found = {(Path(one["path"]).name, one["line"], one["rule"]) for one in findings}
    assert found == {(one["path"], one["line"], one["rule"]) for one in planted}
    assert len(findings) == len(planted)
