"""What happens in a video, over time, in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np

from mmavs.functional.log_mel import (
    HOP_SAMPLES,
    NUM_MEL_BINS,
    PATCH_WINDOWS,
    SAMPLE_RATE_HZ,
    WINDOW_SAMPLES,
)
from mmavs.visualization.overlay import PREDICTION_COLOUR
from mmavs.visualization.time_bins import TimeBins
from mmavs.visualization.timeline_figure import (
    KeptFrame,
    count_fitting,
    draw_timeline,
)
from mmavs.visualization.timeline_panels import Curves

# Frames are kept no larger than the largest that is drawn, (width, height).
KEPT_SIZE = (480, 240)
# The middles of the windows of a patch, since it begins.
_ROW_TIMES_S = (
    np.arange(PATCH_WINDOWS) * HOP_SAMPLES + WINDOW_SAMPLES / 2
) / SAMPLE_RATE_HZ


class Timeline:
    """Collects the frames of a video and draws them over one time axis.

    From top to bottom: frames with what was predicted in them, the share of
    the picture that sounds, the mean uncertainty, and the log-mel of the
    sound. The room it takes does not grow with the length of the video: the
    curves become coarser, and of the frames some are kept.

    Args:
        classes: names of the classes, background first.
        palette: their RGB colours; two classes need none, masks are then in
            the colour of a prediction everywhere.
        max_frames: most frames to show.
        title: one line above it all.
        sample_aspect_ratio: width of a pixel over its height.

    Raises:
        ValueError: if there are fewer than two classes, more than two
            without a colour for each, or ``max_frames`` is less than 1.
    """

    def __init__(
        self,
        classes: Sequence[str] = ('background', 'sounding'),
        palette: Sequence[Sequence[int]] | None = None,
        max_frames: int = 12,
        title: str = '',
        sample_aspect_ratio: Fraction | float = 1,
    ) -> None:
        if len(classes) < 2:
            raise ValueError(
                f'classes must be two or more, got {list(classes)}'
            )
        if len(classes) == 2:
            palette = ((0, 0, 0), PREDICTION_COLOUR)
        if palette is None or len(palette) < len(classes):
            raise ValueError(
                f'palette must have a colour for each of {len(classes)} '
                f'classes, got {0 if palette is None else len(palette)}'
            )
        if max_frames < 1:
            raise ValueError(f'max_frames must be 1 or more, got {max_frames}')
        self.classes = tuple(classes)
        self.palette = tuple(tuple(int(x) for x in c) for c in palette)
        self.max_frames = max_frames
        self.title = title
        self.sample_aspect_ratio = float(sample_aspect_ratio)
        # The pitches, the classes but the background, the uncertainty.
        self._bins = TimeBins(NUM_MEL_BINS + len(classes))
        self._frames: list[KeptFrame] = []
        self._spacing_s = self._bins.width_s
        self._latest_s = -1.0

    def add(
        self,
        image: np.ndarray,
        mask: np.ndarray,
        *,
        start_s: float,
        end_s: float,
        time_s: float,
        log_mel: np.ndarray,
        sound_s: float,
        uncertainty: np.ndarray | None = None,
    ) -> None:
        """Add the next frame.

        Args:
            image: RGB.
            mask: class of each pixel.
            start_s: from when on mask and uncertainty hold.
            end_s: up to when.
            time_s: when the frame was taken.
            log_mel: the patch of sound that it was segmented with.
            sound_s: when the patch begins. It is drawn as a whole; where
                patches overlap, their mean.
            uncertainty: standard deviation of each pixel.

        Units:
            Times are in seconds from the beginning of the video.

        Shapes:
            - image: (H, W, 3) uint8.
            - mask: (H, W) whole numbers.
            - log_mel: (96, 64).
            - uncertainty: (H, W).

        Raises:
            ValueError: for other shapes, an unknown class, times before the
                beginning, or frames that do not ascend.
        """
        _check_frame(image, mask, log_mel, uncertainty)
        _check_times(start_s, end_s, time_s, sound_s)
        if time_s <= self._latest_s:
            raise ValueError(
                f'time_s must ascend, got {time_s} after {self._latest_s}'
            )
        counts = np.bincount(mask.ravel(), minlength=len(self.classes))
        if len(counts) > len(self.classes):
            raise ValueError(
                f'mask must hold classes below {len(self.classes)}, got '
                f'{len(counts) - 1}'
            )
        self._latest_s = time_s
        values = np.full(self._bins.num_values, np.nan)
        values[NUM_MEL_BINS:-1] = counts[1:] / mask.size
        if uncertainty is not None:
            values[-1] = uncertainty.mean()
        self._bins.add(self._bins.stretch(start_s, end_s), values)
        self._add_sound(log_mel, sound_s)
        self._keep_frame(time_s, image, mask)

    def draw(self) -> np.ndarray:
        """Draw what was added so far.

        Shapes:
            - returns: (H, W, 3) uint8, RGB.

        Raises:
            ValueError: if nothing was added.
        """
        if not self._frames:
            raise ValueError('a timeline needs at least one frame, got none')
        means = self._bins.means()
        curves = Curves(
            edges_s=np.arange(len(means) + 1) * self._bins.width_s,
            log_mel=means[:, :NUM_MEL_BINS],
            shares=means[:, NUM_MEL_BINS:-1],
            uncertainty=means[:, -1],
        )
        return draw_timeline(
            self._shown_frames(),
            curves,
            self.classes,
            self.palette,
            self.title,
            self.sample_aspect_ratio,
        )

    def _add_sound(self, log_mel: np.ndarray, sound_s: float) -> None:
        bins = self._bins.at(sound_s + _ROW_TIMES_S)
        values = np.full((PATCH_WINDOWS, self._bins.num_values), np.nan)
        values[:, :NUM_MEL_BINS] = log_mel
        self._bins.add(bins, values)

    def _keep_frame(
        self, time_s: float, image: np.ndarray, mask: np.ndarray
    ) -> None:
        """Keep one frame per stretch of time; stretches double in width."""
        if self._frames and not self._is_later(self._frames[-1], time_s):
            return
        height, width = mask.shape
        scale = min(1.0, KEPT_SIZE[0] / width, KEPT_SIZE[1] / height)
        size = tuple(max(1, round(x * scale)) for x in (width, height))
        self._frames.append(
            KeptFrame(
                time_s,
                cv2.resize(image, size, interpolation=cv2.INTER_AREA),
                cv2.resize(
                    mask.astype(np.int32),
                    size,
                    interpolation=cv2.INTER_NEAREST_EXACT,
                ),
            )
        )
        # Several times as many as are shown, for an even choice.
        while len(self._frames) > 4 * self.max_frames:
            self._spacing_s *= 2
            kept = self._frames[:1]
            for frame in self._frames[1:]:
                if self._is_later(kept[-1], frame.time_s):
                    kept.append(frame)
            self._frames = kept

    def _is_later(self, frame: KeptFrame, time_s: float) -> bool:
        """Whether a time is in a later stretch than a frame."""
        return time_s // self._spacing_s > frame.time_s // self._spacing_s

    def _shown_frames(self) -> list[KeptFrame]:
        """Frames spread evenly over time, in order."""
        height, width = self._frames[0].mask.shape
        aspect = width * self.sample_aspect_ratio / height
        count = min(self.max_frames, count_fitting(aspect))
        if len(self._frames) <= count:
            return self._frames
        times = np.array([frame.time_s for frame in self._frames])
        wanted = (np.arange(count) + 0.5) / count
        distances = np.abs(times - wanted[:, None] * self._bins.end_s)
        return [self._frames[k] for k in np.unique(distances.argmin(1))]


def _check_frame(
    image: np.ndarray,
    mask: np.ndarray,
    log_mel: np.ndarray,
    uncertainty: np.ndarray | None,
) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f'image must be (H, W, 3) uint8, got {image.shape} {image.dtype}'
        )
    maps = dict(mask=mask, uncertainty=uncertainty)
    for name, value in maps.items():
        if value is not None and value.shape != image.shape[:2]:
            raise ValueError(
                f'{name} must have the size of the image {image.shape[:2]}, '
                f'got {value.shape}'
            )
    if log_mel.shape != (PATCH_WINDOWS, NUM_MEL_BINS):
        raise ValueError(
            f'log_mel must be ({PATCH_WINDOWS}, {NUM_MEL_BINS}), got '
            f'{log_mel.shape}'
        )


def _check_times(
    start_s: float, end_s: float, time_s: float, sound_s: float
) -> None:
    if not 0 <= start_s < end_s < np.inf:
        raise ValueError(
            'start_s must be 0 or more and less than end_s, got '
            f'{start_s} and {end_s}'
        )
    for name, value in dict(time_s=time_s, sound_s=sound_s).items():
        if not 0 <= value < np.inf:
            raise ValueError(f'{name} must be 0 or more, got {value}')
