"""What happens in a video, over time, in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from mmavs.functional.log_mel import (
    HOP_SAMPLES,
    NUM_MEL_BINS,
    PATCH_WINDOWS,
    SAMPLE_RATE_HZ,
    WINDOW_SAMPLES,
)
from mmavs.visualization.frame_choice import FrameChoice
from mmavs.visualization.overlay import PREDICTION_COLOUR
from mmavs.visualization.time_bins import TimeBins
from mmavs.visualization.timeline_figure import count_fitting, draw_timeline
from mmavs.visualization.timeline_panels import Curves

# The middles of the windows of a patch, since it begins.
_ROW_TIMES_S = (
    np.arange(PATCH_WINDOWS) * HOP_SAMPLES + WINDOW_SAMPLES / 2
) / SAMPLE_RATE_HZ


class Timeline:
    """Collects the frames of a video and draws them over one time axis.

    From top to bottom: frames with what was predicted in them, the share of
    the picture that sounds, the mean uncertainty, and the log-mel of the
    sound, grey where nothing was heard. The time ends with the last frame. The
    room it takes does not grow with the length of the video: the curves become
    coarser, and of the frames some are kept.

    Args:
        classes: names of the classes, background first.
        palette: their RGB colours. With two classes it is not used: their
            masks have the colour of predictions in every picture,
            :data:`~mmavs.visualization.overlay.PREDICTION_COLOUR`.
        max_frames: most frames to show.
        title: one line above it all.
        subtitle: a smaller one below, say of how it was predicted.
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
        subtitle: str = '',
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
        self.title, self.subtitle = title, subtitle
        self.sample_aspect_ratio = float(sample_aspect_ratio)
        # The pitches, the classes but the background, the uncertainty.
        self._bins = TimeBins(NUM_MEL_BINS + len(classes))
        self._frames = FrameChoice(max_frames)
        self._latest_s, self._end_s = -1.0, 0.0

    def add(
        self,
        image: np.ndarray,
        mask: np.ndarray,
        *,
        start_s: float,
        end_s: float,
        time_s: float,
        heard: Mapping[float, np.ndarray],
        uncertainty: np.ndarray | None = None,
    ) -> None:
        """Add the next frame.

        Args:
            image: RGB.
            mask: class of each pixel.
            start_s: from when on mask and uncertainty hold.
            end_s: up to when.
            time_s: when the frame was taken.
            heard: the log-mel patches that it was segmented with, by when
                each begins. They are drawn as a whole; where patches overlap,
                their mean.
            uncertainty: standard deviation of each pixel.

        Units:
            Times are in seconds from the beginning of the video.

        Shapes:
            - image: (H, W, 3) uint8.
            - mask: (H, W) whole numbers.
            - heard: (96, 64) each.
            - uncertainty: (H, W).

        Raises:
            ValueError: for other shapes, an unknown class, times before the
                beginning, or frames that do not ascend.
        """
        _check_frame(image, mask, uncertainty)
        _check_times(start_s, end_s, time_s)
        _check_heard(heard)
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
        self._latest_s, self._end_s = time_s, max(self._end_s, end_s)
        values = np.full(self._bins.num_values, np.nan)
        values[NUM_MEL_BINS:-1] = counts[1:] / mask.size
        if uncertainty is not None:
            values[-1] = uncertainty.mean()
        self._bins.add(self._bins.stretch(start_s, end_s), values)
        for sound_s, log_mel in heard.items():
            self._add_sound(log_mel, sound_s)
        self._frames.add(time_s, image, mask)

    def draw(self) -> np.ndarray:
        """Draw what was added so far.

        Shapes:
            - returns: (H, W, 3) uint8, RGB.

        Raises:
            ValueError: if nothing was added.
        """
        if not self._end_s:
            raise ValueError('a timeline needs at least one frame, got none')
        # The last patch may reach beyond the last frame.
        num_bins = len(self._bins.stretch(0, self._end_s))
        means = self._bins.means()[:num_bins]
        edges_s = np.arange(len(means) + 1) * self._bins.width_s
        edges_s[-1] = self._end_s
        curves = Curves(
            edges_s=edges_s,
            log_mel=self._up_to_the_ends(means[:, :NUM_MEL_BINS]),
            shares=means[:, NUM_MEL_BINS:-1],
            uncertainty=means[:, -1],
        )
        aspect = self._frames.aspect * self.sample_aspect_ratio
        count = min(self.max_frames, count_fitting(aspect))
        return draw_timeline(
            self._frames.spread(count, self._end_s),
            curves,
            self.classes,
            self.palette,
            self.title,
            self.subtitle,
            self.sample_aspect_ratio,
        )

    def _add_sound(self, log_mel: np.ndarray, sound_s: float) -> None:
        bins = self._bins.at(sound_s + _ROW_TIMES_S)
        values = np.full((PATCH_WINDOWS, self._bins.num_values), np.nan)
        values[:, :NUM_MEL_BINS] = log_mel
        self._bins.add(bins, values)

    def _up_to_the_ends(self, log_mel: np.ndarray) -> np.ndarray:
        """Fill empty bins which the window of a row next to them covers.

        A window reaches further than its middle: otherwise there were nothing
        in the first hundredth of a second.
        """
        if self._bins.width_s > WINDOW_SAMPLES / 2 / SAMPLE_RATE_HZ:
            return log_mel
        filled = log_mel.copy()
        for to, neighbour in (
            (slice(1, None), slice(None, -1)),
            (slice(None, -1), slice(1, None)),
        ):
            is_empty = np.isnan(filled[to])
            filled[to] = np.where(is_empty, log_mel[neighbour], filled[to])
        return filled


def _check_frame(
    image: np.ndarray,
    mask: np.ndarray,
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


def _check_times(start_s: float, end_s: float, time_s: float) -> None:
    if not 0 <= start_s < end_s < np.inf:
        raise ValueError(
            'start_s must be 0 or more and less than end_s, got '
            f'{start_s} and {end_s}'
        )
    if not 0 <= time_s < np.inf:
        raise ValueError(f'time_s must be 0 or more, got {time_s}')


def _check_heard(heard: Mapping[float, np.ndarray]) -> None:
    for sound_s, log_mel in heard.items():
        if not 0 <= sound_s < np.inf:
            raise ValueError(
                f'heard must have times of 0 or more, got {sound_s}'
            )
        if log_mel.shape != (PATCH_WINDOWS, NUM_MEL_BINS):
            raise ValueError(
                f'heard must have patches of ({PATCH_WINDOWS}, '
                f'{NUM_MEL_BINS}), got {log_mel.shape}'
            )
