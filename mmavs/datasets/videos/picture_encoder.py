"""Pictures as a track of H.264."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.codec.context import Flags, ThreadType
from av.video.frame import PictureType
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

# The clock of MPEG: whole numbers for the usual frame rates.
_TICKS_HZ = 90_000
# A picture that stays is repeated: some players show nothing after a jump
# until the next frame comes.
_LONGEST_FRAME = _TICKS_HZ // 5
# Browsers jump by way of key frames: one in every two seconds.
_KEY_FRAME_EVERY = 2 * _TICKS_HZ - _LONGEST_FRAME
_OPTIONS = {
    # Hardly a difference to be seen, at many times the speed of the default.
    'preset': 'veryfast',
    'crf': '20',
    # Pictures are coded in the order of their times.
    'bf': '0',
    # A key frame that is asked for is one where decoding can begin.
    'forced-idr': '1',
    # In time, see _KEY_FRAME_EVERY, not in pictures.
    'g': '1000',
}


class PictureEncoder:
    """Encodes pictures that stay for a while into a track of an mp4 file.

    Yuv420p of limited range, BT.709: what every player takes. Odd sizes are
    made even by repeating the edge.

    Args:
        container: Open for writing; it gets one more track.
        size: (H, W) of the pictures.
        sample_aspect_ratio: Width of a pixel by its height.
    """

    def __init__(
        self,
        container: Any,
        size: tuple[int, int],
        sample_aspect_ratio: Fraction,
    ) -> None:
        self._container = container
        height, width = size
        self._padding = ((0, height % 2), (0, width % 2), (0, 0))
        self._reformatter = VideoReformatter()
        self._end = self._key_frame_from = 0
        self._stream = container.add_stream(
            'libx264',
            # Only what a decoder must be able to do depends on it.
            rate=30,
            width=width + width % 2,
            height=height + height % 2,
            time_base=Fraction(1, _TICKS_HZ),
            options=_OPTIONS,
        )
        context = self._stream.codec_context
        context.pix_fmt = 'yuv420p'
        context.color_range = ColorRange.MPEG
        context.colorspace = Colorspace.ITU709
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        # What the track can hold.
        context.sample_aspect_ratio = sample_aspect_ratio.limit_denominator(
            1000
        )
        # Without it the last picture lasts as long as any.
        context.flags |= Flags.frame_duration
        # Not the number of cores: the bytes depend on it.
        context.thread_count = 2
        context.thread_type = ThreadType.FRAME

    def write(
        self, image: np.ndarray, until_s: float | Fraction
    ) -> Iterator[Fraction]:
        """Encode a picture that begins where the one before ends.

        Args:
            image: RGB.
            until_s: Its end, in seconds.

        Shapes:
            - image: (H, W, 3) uint8.

        Yields:
            How far it has come, in seconds, the last time at the end.
        """
        begin = self._end
        # No frame is shorter than a tick.
        self._end = max(round(until_s * _TICKS_HZ), begin + 1)
        length = self._end - begin
        count = -(-length // _LONGEST_FRAME)
        edges = [begin + length * i // count for i in range(count + 1)]
        frame = self._encodable(image)
        for low, high in itertools.pairwise(edges):
            frame.pts, frame.duration = low, high - low
            frame.pict_type = PictureType.NONE
            if low >= self._key_frame_from:
                frame.pict_type = PictureType.I
                self._key_frame_from = low + _KEY_FRAME_EVERY
            self._container.mux(self._stream.encode(frame))
            yield Fraction(high, _TICKS_HZ)

    def _encodable(self, image: np.ndarray) -> av.VideoFrame:
        frame = av.VideoFrame.from_ndarray(
            np.pad(image, self._padding, mode='edge'), format='rgb24'
        )
        frame = self._reformatter.reformat(
            frame,
            format='yuv420p',
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=Colorspace.ITU709,
            threads=1,
        )
        frame.time_base = Fraction(1, _TICKS_HZ)
        return frame

    def finish(self) -> None:
        """Encode what the encoder still holds back."""
        self._container.mux(self._stream.encode(None))
