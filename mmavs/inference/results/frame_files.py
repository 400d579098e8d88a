"""The files of the frames of a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmavs.datasets.videos import VideoWriter
from mmavs.inference.predictions import FramePrediction
from mmavs.inference.results.class_labels import draw_class_names
from mmavs.inference.results.result_json import frame_row
from mmavs.visualization.overlay import overlay_classes, overlay_mask
from mmavs.visualization.timeline import Timeline

# The standard deviation of a probability that is white in a picture: none is
# larger.
MAX_UNCERTAINTY = 0.5


class FrameFiles:
    """Writes masks, maps, overlay, timeline and codes while frames come in.

    Memory does not grow but for the rows and the codes.

    Args:
        folder: where to write; it is there, and empty.
        classes: names of the classes, background first.
        palette: their RGB colours.
        overlay: takes the frames with their masks, or None; opened and
            closed by the caller.
        timeline: becomes timeline.png, or None.
        codes: whether to write codes.npz.
        probabilities: whether to write those of the foreground.

    Attributes:
        rows: what result.json says of each frame.
        names: kind to the name of what was written in the folder, or None.

    Raises:
        OSError: if a file cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        classes: Sequence[str],
        palette: Sequence[Sequence[int]],
        overlay: VideoWriter | None = None,
        timeline: Timeline | None = None,
        codes: bool = False,
        probabilities: bool = False,
    ) -> None:
        self.folder, self.classes = folder, classes
        self.palette = palette if len(classes) > 2 else None
        self.overlay, self.timeline = overlay, timeline
        self.codes: list[dict[str, np.ndarray]] | None = [] if codes else None
        self.rows: list[dict] = []
        self.names: dict[str, str | None] = dict(
            masks='masks',
            probabilities='probabilities' if probabilities else None,
            uncertainty=None,
            overlay=overlay and overlay.path.name,
            timeline=timeline and 'timeline.png',
            codes='codes.npz' if codes else None,
        )
        (folder / 'masks').mkdir()
        if probabilities:
            (folder / 'probabilities').mkdir()

    def add(
        self, prediction: FramePrediction, start_s: float, end_s: float
    ) -> None:
        """Write what is of this frame only.

        Args:
            prediction: the next frame.
            start_s: from when on it is shown.
            end_s: up to when.

        Raises:
            ValueError: if the prediction is not finite, or has no codes
                although they are to be written.
            OSError: if a file cannot be written.
        """
        _check_finite(prediction)
        if self.codes is not None and not prediction.codes:
            raise ValueError('the model has no latents, hence no codes')
        name = f'{prediction.index + 1:06}.png'
        save_mask(self.folder / 'masks' / name, prediction.mask, self.palette)
        if self.names['probabilities'] is not None:
            save_map(
                self.folder / 'probabilities' / name, prediction.probability
            )
        if prediction.uncertainty is not None:
            if self.names['uncertainty'] is None:
                self.names['uncertainty'] = 'uncertainty'
                (self.folder / 'uncertainty').mkdir()
            save_map(
                self.folder / 'uncertainty' / name,
                prediction.uncertainty,
                MAX_UNCERTAINTY,
            )
        # Of frames at the same time the last one is seen.
        is_shown = end_s > start_s
        if self.overlay is not None and is_shown:
            self.overlay.add(self._drawn(prediction), end_s)
        if self.timeline is not None and is_shown:
            self.timeline.add(
                prediction.image,
                prediction.mask,
                start_s=start_s,
                end_s=end_s,
                time_s=prediction.time_s,
                heard=prediction.heard,
                uncertainty=prediction.uncertainty,
            )
        if self.codes is not None:
            self.codes.append(prediction.codes)
        mask = f'masks/{name}'
        self.rows.append(
            frame_row(prediction, start_s, end_s, mask, self.classes)
        )

    def finish(self) -> None:
        """Write what is of all frames together.

        Raises:
            OSError: if a file cannot be written.
        """
        if self.timeline is not None:
            picture = Image.fromarray(self.timeline.draw())
            picture.save(self.folder / 'timeline.png')
        if self.codes is not None:
            latents = {
                name: np.stack([codes[name] for codes in self.codes])
                for name in self.codes[0]
            }
            times_s = np.array([row['time_s'] for row in self.rows])
            np.savez_compressed(
                self.folder / 'codes.npz', times_s=times_s, **latents
            )

    def _drawn(self, prediction: FramePrediction) -> np.ndarray:
        if self.palette is None:
            return overlay_mask(prediction.image, prediction.mask > 0)
        image = overlay_classes(
            prediction.image, prediction.mask, self.palette
        )
        draw_class_names(image, prediction.mask, self.classes, self.palette)
        return image


def save_mask(
    path: Path,
    mask: np.ndarray,
    palette: Sequence[Sequence[int]] | None = None,
) -> None:
    """Write a mask as PNG.

    Args:
        path: the file.
        mask: index of the class of each pixel.
        palette: RGB colours of the classes; without them the mask is binary,
            and is written as 0 and 255.

    Shapes:
        - mask: (H, W) uint8.
    """
    if palette is None:
        image = Image.fromarray(np.where(mask > 0, 255, 0).astype(np.uint8))
    else:
        image = Image.fromarray(mask)
        # Turns grey values into indices of colours.
        image.putpalette(np.asarray(palette, np.uint8).tobytes())
    image.save(path)


def save_map(path: Path, values: np.ndarray, largest: float = 1.0) -> None:
    """Write a map of numbers as PNG of grey values, from 0 to 255.

    Args:
        path: the file.
        values: from 0 to ``largest``, but for rounding.
        largest: what is white.

    Shapes:
        - values: (H, W).
    """
    grey = np.rint(values * (255 / largest)).clip(0, 255)
    Image.fromarray(grey.astype(np.uint8)).save(path)


def _check_finite(prediction: FramePrediction) -> None:
    for values in (prediction.probability, prediction.uncertainty):
        if values is not None and not np.isfinite(values).all():
            raise ValueError(
                f'the prediction at {prediction.time_s:.2f} s is not finite: '
                'the weights are damaged, or the precision is too low'
            )
