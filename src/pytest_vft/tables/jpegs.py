"""Images saved anew as JPEGs, for a build with a quality."""

from __future__ import annotations

import pybase64

from pytest_vft.converting.images import ImageContent
from pytest_vft.encoding import encode_image
from pytest_vft.errors import UsageError
from pytest_vft.formats.conversation import NotConvertedError


def as_jpeg(content: ImageContent, quality: int) -> ImageContent:
    """Return an image saved as a JPEG of this *quality*. Raises NotConvertedError if it cannot be read."""
    try:
        url = encode_image(content.data, format="JPEG", quality=quality)
    except UsageError as error:
        raise NotConvertedError(str(error)) from None
    return ImageContent(pybase64.b64decode(url.partition(",")[2]), "JPEG")
