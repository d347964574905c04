"""The target of a conversion: a provider, or a bare data format."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from pytest_vft.catalogue.providers import Provider, default_provider, provider_ids
from pytest_vft.converting.plan import Images
from pytest_vft.errors import UsageError
from pytest_vft.formats.registry import URLS_ONLY, load_writer, writers
from pytest_vft.formats.writers.base import FileShape
from pytest_vft.runs.settings import Settings
from pytest_vft.text import either, nearest, safe

# Ways to pass images, in the order in which they are chosen.
IMAGES: tuple[Images, ...] = ("keep", "files", "embed")
_ANY_TRANSPORT = ("data", "url", "file", "bucket")
_FILES = frozenset({"file", "bucket"})
# The ID of an account of AWS: https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html
_OWNER = re.compile(r"[0-9]{12}")
# A bucket of S3 or Cloud Storage, with folders whose names need no quotes in a URL, JSON or a shell.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]*(/[A-Za-z0-9_.-]+)*/")


class ConversionTarget(NamedTuple):
    """Who the files are for.

    *name* is a provider or a data format, *provider* checks the result, *formats* are the data formats that
    may be written, *prefix* precedes the names of images, and *bucket_owner* is the owner of its bucket.
    """

    name: str
    provider: Provider
    formats: Sequence[str]
    prefix: str = ""
    bucket_owner: str | None = None

    def data_format(self, *, preferences: bool) -> str:
        """Return the data format of examples with two answers or with one: the first that can have them."""
        fit = [one for one in self.formats if load_writer(one).has_preferences or not preferences]
        return (fit or self.formats)[0]

    @property
    def bucket(self) -> str:
        """The scheme of the buckets in which the provider reads image files; "" if it reads others too."""
        takes = self.takes(self.formats[0])
        return self.provider.writes.bucket if "bucket" in takes and "file" not in takes else ""

    def check_bucket(self) -> None:
        """Raise UsageError for a prefix that is no folder of a bucket of the provider, or a wrong owner."""
        if self.bucket_owner is not None and not _OWNER.fullmatch(self.bucket_owner):
            raise UsageError(
                f"--bucket-owner={safe(self.bucket_owner)}: expected the 12 digits of an account"
            )
        expected = self.bucket
        if not self.prefix or not expected:
            return
        scheme, separator, folder = self.prefix.partition("://")
        names_folder = _BUCKET.fullmatch(folder) and not {".", ".."} & set(folder.split("/"))
        if scheme != expected or not separator or not names_folder:
            raise UsageError(
                f"--image-prefix={safe(self.prefix)}: expected {expected}://BUCKET/FOLDER/: a bucket in "
                "small letters, and folders of the letters A-Z and a-z, digits, _, - and ."
            )

    @property
    def no_tools(self) -> str:
        """Why the provider does not train on tools; "" if it may, and for a bare data format."""
        return self.provider.writes.no_tools if self.name == self.provider.id else ""

    @property
    def reads_parquet(self) -> bool:
        """Whether the provider reads Parquet with a column of images, which a Parquet file then stays."""
        return load_writer(self.formats[0]).has_image_list and "parquet" in self.provider.transports

    def shape(self) -> FileShape:
        """Return what the provider demands of all examples."""
        style = self.provider.writes
        return FileShape(
            parts=style.parts,
            strings=style.strings,
            one_system=style.one_system,
            ordered=style.ordered,
            drops=frozenset({*style.drops, *self.provider.unread, *(["tools"] if self.no_tools else [])}),
            bucket_owner=self.bucket_owner,
        )

    def takes(self, data_format: str) -> frozenset[str]:
        """Return the transports of images that the provider takes in *data_format*; any if it states none."""
        without = {"file"} if data_format in URLS_ONLY else set()
        return frozenset(self.provider.transports or _ANY_TRANSPORT) - without

    def images(self, data_format: str, given: Images | None, present: Collection[str]) -> Images:
        """Return how images are passed; *present* are the transports in the data.

        Raises UsageError if the provider does not take images so, or if a bucket is needed and not named.
        """
        takes = self.takes(data_format)
        fit: dict[Images, bool] = {
            "keep": takes.issuperset(present),
            "files": bool(takes & _FILES),
            "embed": "data" in takes,
        }
        chosen: Images = next((one for one in IMAGES if fit[one]), "keep")
        mode = given or chosen
        if mode != "keep" and not fit[mode]:
            better = [f"--images={one}" for one in IMAGES if fit[one]] or ["--images=keep"]
            raise UsageError(
                f"--images={mode}: {self.name} does not take images so; expected {either(better)}"
            )
        if mode == "files" and "file" not in takes and not self.prefix:
            raise UsageError(
                f"{self.name} takes images from a bucket: name it with --image-prefix, as in "
                f"--image-prefix={self.provider.writes.bucket}://BUCKET/FOLDER/"
            )
        return mode


def find_target(name: str, settings: Settings, prefix: str, bucket_owner: str | None) -> ConversionTarget:
    """Return the target *name*; *settings* are those for the provider of that name, if there is one.

    Raises UsageError, which names the nearest, for an unknown name.
    """
    prefix = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    if not is_provider(name):
        provider = settings.provider
        if name not in provider.data_formats:  # no shipped provider reads it
            provider = Provider(name, name, data_formats=(name,), transports=_ANY_TRANSPORT)
        return ConversionTarget(name, provider, (name,), prefix, bucket_owner)
    known = [one for one in settings.provider.data_formats if one in writers()]
    if not known:
        raise UsageError(f"{name}: no data format of this provider can be written")
    return ConversionTarget(settings.provider.id, settings.provider, known, prefix, bucket_owner)


def is_provider(name: str) -> bool:
    """Return whether *name* is a provider, also a file of one, rather than a bare data format.

    Raises UsageError, which names the nearest, for an unknown name.
    """
    known = [*provider_ids(), *writers()]
    if name in known or name.endswith(".toml"):
        return name not in writers() or name in provider_ids()
    raise UsageError(f"--to={name}{nearest(name, known)}; expected {either(sorted(set(known)))}")


def provider_of(name: str) -> str:
    """Return the provider of the target *name*: its own name, or the provider of a bare data format."""
    return name if is_provider(name) else default_provider(name)
