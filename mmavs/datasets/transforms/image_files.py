"""What is checked of an image file before it is decoded."""

from __future__ import annotations

import io

from PIL import Image

from mmavs.datasets.errors import DataError

MAX_PIXELS = 64_000_000  # 8000 x 8000: a header can promise any size
# A decoder fills up what is missing at the end with grey.
_END = dict(PNG=b'IEND\xaeB`\x82', JPEG=b'\xff\xd9')
# Some writers pad a file; no mark of an end is farther from it than this.
_TAIL_BYTES = 4096


def check_image(content: bytes, name: str, kind: str) -> Image.Image:
    """Check the format, the size and the end of a PNG or JPEG file.

    Args:
        content: the bytes of the file.
        name: the file's name, for error messages.
        kind: what it is, for error messages.

    Returns:
        The image with its header read and nothing decoded.

    Raises:
        DataError: if it is of another format, too large or cut short.
    """
    try:
        image = Image.open(io.BytesIO(content), formats=list(_END))
    except Exception as error:  # whatever the bytes make a parser do
        raise DataError(
            f'{kind} {name} is not a readable PNG or JPEG: {error}'
        ) from error
    width, height = image.size
    if not 0 < width * height <= MAX_PIXELS:
        raise DataError(
            f'{kind} {name} is {width} x {height} pixels, more than the '
            f'{MAX_PIXELS:,} that are read'
        )
    if _END[image.format] not in content[-_TAIL_BYTES:]:
        raise DataError(f'{kind} {name} is cut short: its end is missing')
    return image
