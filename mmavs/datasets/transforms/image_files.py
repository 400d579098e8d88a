"""What is checked of an image file before it is decoded."""

from __future__ import annotations

import io

from PIL import Image

from mmavs.datasets.errors import DataError

MAX_PIXELS = 64_000_000  # 8000 x 8000: a header can promise any size
# PIL modes that a mask may have.
MASK_MODES = ('1', 'L', 'P', 'RGB')
# A decoder fills up what is missing at the end with grey.
_END = dict(
    PNG=b'IEND\xaeB`\x82',
    JPEG=b'\xff\xd9',
    MPO=b'\xff\xd9',  # a JPEG with further pictures in it, as phones make
)
# Some writers pad a file; no mark of an end is farther from it than this.
_TAIL_BYTES = 4096


def check_image(content: bytes, name: str, kind: str) -> Image.Image:
    """Check the format, the size, the end and the checksums of an image.

    Args:
        content: the bytes of a PNG or JPEG file; the latter has no checksums.
        name: the file's name, for error messages.
        kind: what it is, for error messages.

    Returns:
        The image with its header read and nothing decoded.

    Raises:
        DataError: if it is of another format, too large, cut short or
            damaged.
    """
    image = check_header(content, name, kind)
    try:
        # Else damaged pixels would be labels. It uses the image up.
        image.verify()
        return _open(content)
    except Exception as error:  # whatever the bytes make a parser do
        raise DataError(
            f'{kind} {name} is damaged: a checksum is wrong'
        ) from error


def check_header(content: bytes, name: str, kind: str) -> Image.Image:
    """Check the format, the size and the end of an image.

    Args:
        content: the bytes of a PNG or JPEG file, or its first and last ones.
        name: the file's name, for error messages.
        kind: what it is, for error messages.

    Returns:
        The image with its header read and nothing decoded.

    Raises:
        DataError: if it is of another format, too large or cut short.
    """
    try:
        image = _open(content)
    except Exception as error:  # whatever the bytes make a parser do
        raise DataError(
            f'{kind} {name} is not a readable PNG or JPEG: '
            f'{type(error).__name__}'
        ) from error
    width, height = image.size
    if not 0 < width * height <= MAX_PIXELS:
        raise DataError(
            f'{kind} {name} is {width} x {height} pixels, more than the '
            f'{MAX_PIXELS:,} that are read'
        )
    if is_cut_short(content):
        raise DataError(f'{kind} {name} is cut short: its end is missing')
    return image


def is_cut_short(content: bytes) -> bool:
    """Tell whether a PNG or JPEG file lacks its end.

    Args:
        content: the bytes of the file, or its first and last ones.
    """
    image_format = 'PNG' if content.startswith(b'\x89PNG') else 'JPEG'
    return _END[image_format] not in content[-_TAIL_BYTES:]


def _open(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=list(_END))
