"""The facts of scope image, one by one."""

# Annotations are evaluated, so that the class knows its optional keys.
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple, NotRequired, TypedDict

from pytest_vft.formats.base import Fault
from pytest_vft.model import Split
from pytest_vft.reading.decoding import Damage

Match = Literal["exact", "alias", "none"]


class Scale(NamedTuple):
    """The scale of a fact, from 0 to *greatest*; a parameter beyond would make its rule mean nothing.

    Single images may be beyond.
    """

    greatest: int


class ImageFacts(TypedDict):
    """What is measured in an image."""

    split: Split
    """Split of the file: train, validation or test."""
    role: str
    """Role of the message that contains the image."""
    detail: str
    """Detail as written; "auto" if absent, "null" for a JSON null."""
    unknown_keys: Sequence[Fault]
    """Keys of the image and its content part that the format does not define; null values do not count."""
    scheme: str
    """Scheme of the URL in lower case: data, https, file ...; "none" for a URL without a scheme, "path" for a
    local path and for the bytes of an image in Parquet."""
    address: str
    """Description of the URL: of scheme s3, a path, bare base64, empty."""
    media_type: str | None
    """Media type that a data URL declares, as written; text/plain if it declares none (RFC 2397). For a
    fetched URL, the type that the server declares; None if that is not usable."""
    media_type_match: Match | None
    """Whether the media type fits the format: "exact" (also if none is declared), "alias" (image/jpg for a
    JPEG) or "none"; None for an image that cannot be opened."""
    encoding: str | None
    """"base64", or "other" if the payload of a data URL is not valid base64; None for other URLs."""
    encoding_error: str | None
    """Why the payload is not valid base64."""
    base64_variant: bool | None
    """Whether a payload that is not valid base64 is that of an image, with white space, the URL-safe
    alphabet or missing padding; None for other payloads."""
    bytes: int | None
    """Size of the image after base64 decoding."""
    format: str | None
    """Format by the first bytes: JPEG, HEIC, HTML, unrecognised ...; "none" if there are no bytes."""
    openable: bool | None
    """Whether a decoder can read the header; None if the image was not fetched or memory was short."""
    mode: str | None
    """Pillow's mode: RGB, RGBA, L, P, CMYK ..."""
    width: int | None
    """Width in pixels."""
    height: int | None
    """Height in pixels."""
    pixels: int | None
    """Width times height."""
    frames: int | None
    """Number of frames by the header; 1 for a JPEG, whatever follows its image."""
    orientation: int | None
    """EXIF orientation from 1 (upright) to 8; 1 if EXIF is absent or cannot be read."""
    geotagged: bool | None
    """Whether EXIF contains a latitude or longitude."""
    damage: Damage | None
    """"truncated", "undecodable", or "none" if the depth of the run found no damage; None for an image that
    was too large to decode."""
    decoder_error: str | None
    """The error message of the decoder."""
    reachable: bool | None
    """Whether a URL could be fetched; None if that is not known."""
    unreachable_because: str | None
    """Why a URL could not be fetched."""
    host: str | None
    """Host of an http or https URL, in lower case."""
    public: bool | None
    """Whether all addresses of the host are public; None if its name was not resolved."""
    served: str | None
    """Content that a server sent: image, an HTML page ...; None if nothing was fetched."""
    redirected_to: str | None
    """Final URL without secrets; "nowhere" if the URL did not redirect, None if nothing was fetched."""
    expires: str
    """When the signature of the URL expires; "never" without a signature or for an unreachable URL."""
    expired: bool
    """Whether the signature of the URL has expired; such a URL is not fetched."""
    days_left: int | None
    """Whole days until the signature expires, negative if it has expired."""
    local: bool
    """Whether the image is named by a local path, in a data format that has such paths."""
    path: str | None
    """The local path as written; two quotes for an empty one."""
    leads_to: str | None
    """What a local path leads to: a file, a folder, a pipe, a socket, a device, nothing, outside the roots,
    unreadable; None for other images."""
    outside_because: str | None
    """How a local path leads out of the roots."""
    outside_path: str | None
    """The absolute path that such a path leads to."""
    read_error: str | None
    """Why a local file cannot be read, in the words of the system."""
    head: NotRequired[str]
    """What a data URL has before its comma, at most 100 characters; "none" for other images."""
    unusual_characters: NotRequired[str]
    """Characters of an s3 or gs URI besides letters from a to z, digits, _, -, / and dots, each once; "none"
    for other images."""
    aspect_ratio: NotRequired[int | None]
    """The longer side divided by the shorter side, rounded up."""
    narrowness: NotRequired[Annotated[int | None, Scale(100)]]
    """The shorter side in percent of the longer side, from 0 to 100."""
    colours: NotRequired[bool | None]
    """Whether red, green and blue differ visibly anywhere; None for an image in colour that was not
    decoded."""
    lights: NotRequired[Annotated[int | None, Scale(255)]]
    """Grey level, from 0 (black) to 255, that 99 % of the pixels do not exceed; None if not decoded."""
    shades: NotRequired[Annotated[int | None, Scale(255)]]
    """Grey level, from 0 to 255, that 3 % of the pixels do not exceed; None if not decoded."""
    entropy: NotRequired[Annotated[int | None, Scale(800)]]
    """Entropy of the grey levels in hundredths of a bit, from 0 to 800; None if not decoded."""
    sharpness: NotRequired[Annotated[int | None, Scale(100)]]
    """Strength of edges between neighbours in percent of that at a quarter of the size, in the middle of
    the image: 100 for a sharp edge, more for thin lines and noise; None if not decoded."""
    contrast: NotRequired[Annotated[int | None, Scale(128)]]
    """Standard deviation of the grey levels, from 0 to 128; None if not decoded."""
    face_score: NotRequired[Annotated[int | None, Scale(100)]]
    """Score of the most likely face, from 0 to 100; 50 is the threshold of its model. None if not decoded."""
    face_box: NotRequired[str | None]
    """Place of that face in the image as stored: left, top, width and height in pixels."""
    fingerprint: NotRequired[str | None]
    """Fingerprint of what the image shows; empty for an image of nearly one grey level or of
    a few, None if not decoded."""
