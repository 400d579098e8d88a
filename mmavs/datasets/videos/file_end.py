"""Whether the end of a video file is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

# What holds pictures, sound or their index; of other parts the size may be
# junk behind the end.
_NEEDED = (b'mdat', b'moov', b'moof', b'RIFF')
_EBML_HEADER, _SEGMENT = b'\x1a\x45\xdf\xa3', b'\x18\x53\x80\x67'


def promised_bytes(file: BinaryIO) -> int:
    """Tell how long a file must be, by the sizes of its outermost parts.

    FFmpeg takes the end of a file that was cut off between two frames for
    the end of the video.

    Args:
        file: An open mp4, mov, Matroska, WebM or AVI file. Its position
            changes.

    Returns:
        int: Its least number of bytes; 0 for other containers, and where it
        is not known, as in a live recording.
    """
    file.seek(0)
    start = file.read(12)
    if start.startswith(_EBML_HEADER):
        return _matroska_end(file)
    parts = _riff_parts if start[8:] == b'AVI ' else _atoms
    return max(
        (end for kind, end in parts(file) if kind in _NEEDED), default=0
    )


def _atoms(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and end of each outermost part of an mp4."""
    end = 0
    while True:
        file.seek(end)
        header = file.read(16)
        size, kind = int.from_bytes(header[:4], 'big'), header[4:8]
        if size == 1:
            size = int.from_bytes(header[8:], 'big')
        # With size 0, an atom ends with the file; none is as large as this.
        if len(header) < 8 or not 8 <= size < 2**60:
            return
        end += size
        yield kind, end


def _riff_parts(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and end of each outermost part of an AVI."""
    end = 0
    while True:
        file.seek(end)
        header = file.read(8)
        size = int.from_bytes(header[4:], 'little')
        # A recorder that did not finish leaves the size open.
        if len(header) < 8 or size in (0, 2**32 - 1):
            return
        end += 8 + size + size % 2
        yield header[:4], end


def _matroska_end(file: BinaryIO) -> int:
    """End of the segment, which is nearly the whole file."""
    file.seek(len(_EBML_HEADER))
    size = _ebml_size(file)
    if size is None:
        return 0
    file.seek(size, 1)
    if file.read(len(_SEGMENT)) != _SEGMENT:
        return 0
    size = _ebml_size(file)
    return 0 if size is None else file.tell() + size


def _ebml_size(file: BinaryIO) -> int | None:
    """Read a size: its leading zero bits tell how many bytes it has."""
    first = int.from_bytes(file.read(1), 'big')
    num_bytes = 9 - first.bit_length()
    rest = file.read(num_bytes - 1)
    if not first or len(rest) < num_bytes - 1:
        return None
    bits = 7 * num_bytes
    size = int.from_bytes(bytes([first]) + rest, 'big') & (1 << bits) - 1
    # All ones: unknown.
    return None if size == (1 << bits) - 1 else size
