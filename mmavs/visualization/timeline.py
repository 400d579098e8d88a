"""What happens in a video, over time, in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np

from mmavs.functional.log_mel import (
    HOP_SAMPLES,
    MIN_SAMPLES,
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
_HOP_S = HOP_SAMPLES / SAMPLE_RATE_HZ
_PATCH_S = PATCH_WINDOWS * _HOP_S
# Half of the sound under a patch: a frame at its own time is in the middle.
_HALF_S = MIN_SAMPLES / SAMPLE_RATE_HZ / 2
# Frame k of the published data is at k - 1/16 s and stands for second k.
_PUBLISHED_PHASE_S = 15 / 16


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
        self._patch: np.ndarray | None = None
        self._patch_start_s = 0.0

    def add(
        self,
        time_s: float,
        image: np.ndarray,
        mask: np.ndarray,
        log_mel: np.ndarray,
        uncertainty: np.ndarray | None = None,
        duration_s: float = 1.0,
    ) -> None:
        """Add the next frame.

        A frame stands for the ``duration_s`` from its time on; one of about a
        second at k - 1/16 s, as in the published data, for second k.

        Args:
            time_s: when it is, from the beginning of the video.
            image: RGB.
            mask: class of each pixel.
            log_mel: the sound the frame was segmented with; drawn is its
                part that the frame stands for.
            uncertainty: standard deviation of each pixel.
            duration_s: how long it stands for what is seen and heard.

        Shapes:
            - image: (H, W, 3) uint8.
            - mask: (H, W) whole numbers.
            - log_mel: (96, 64).
            - uncertainty: (H, W).

        Raises:
            ValueError: for other shapes, an unknown class, or times that do
                not ascend.
        """
        _check_frame(image, mask, log_mel, uncertainty)
        if not (0 <= time_s < np.inf and 0 < duration_s < np.inf):
            raise ValueError(
                'time_s must be 0 or more and duration_s more than 0, got '
                f'{time_s} and {duration_s}'
            )
        if time_s <= self._latest_s:
            raise ValueError(
                f'times must ascend, got {time_s} s after {self._latest_s} s'
            )
        counts = np.bincount(mask.ravel(), minlength=len(self.classes))
        if len(counts) > len(self.classes):
            raise ValueError(
                f'mask must hold classes below {len(self.classes)}, got '
                f'{len(counts) - 1}'
            )
        self._latest_s = time_s
        values = np.full(NUM_MEL_BINS + len(self.classes), np.nan)
        values[NUM_MEL_BINS:-1] = counts[1:] / mask.size
        if uncertainty is not None:
            values[-1] = uncertainty.mean()
        # The last one of a video may stand for a little less or more.
        about_a_second = 0.5 < duration_s < 2
        if about_a_second and time_s % 1 == _PUBLISHED_PHASE_S:
            start_s = float(np.floor(time_s))
            self._add_sound(
                log_mel, start_s, start_s, start_s + min(1, duration_s), 1.0
            )
        else:
            start_s = time_s
            self._add_own_sound(log_mel, time_s, duration_s)
        stretch = self._bins.stretch(start_s, start_s + duration_s)
        self._bins.add(stretch, values)
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

    def _add_own_sound(
        self, log_mel: np.ndarray, time_s: float, duration_s: float
    ) -> None:
        """Add the sound of a frame in the middle of its patch.

        At both ends of the video the frame is not in the middle, because
        the patch lies within the sound: the first ones begin at 0, and the
        last ones are all the same patch.
        """
        patch_s = max(0.0, time_s - _HALF_S)
        same = np.array_equal(log_mel, self._patch)
        # Silence is the same everywhere, and may go on for long.
        if same and np.ptp(log_mel) > 0:
            patch_s = self._patch_start_s
        self._patch, self._patch_start_s = np.array(log_mel), patch_s
        end_s = min(time_s + duration_s, patch_s + 2 * _HALF_S)
        # A slow sequence hears more before a frame than after it.
        start_s = max(patch_s, min(time_s, end_s - duration_s))
        if start_s < end_s:
            self._add_sound(log_mel, patch_s, start_s, end_s, _PATCH_S)

    def _add_sound(
        self,
        log_mel: np.ndarray,
        patch_start_s: float,
        start_s: float,
        end_s: float,
        patch_duration_s: float,
    ) -> None:
        stretch = self._bins.stretch(start_s, end_s)
        into = self._bins.middles_s(stretch) - patch_start_s
        # A row is a window, and stands for the middle of that.
        middle = WINDOW_SAMPLES / HOP_SAMPLES / 2
        rows = np.rint(into / patch_duration_s * PATCH_WINDOWS - middle)
        rows = rows.clip(0, PATCH_WINDOWS - 1).astype(int)
        values = np.full((len(stretch), self._bins.num_values), np.nan)
        values[:, :NUM_MEL_BINS] = log_mel[rows]
        self._bins.add(stretch, values)

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
