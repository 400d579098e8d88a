"""Stock image transforms, applied to every frame of a clip alike."""

from collections.abc import Callable, Sequence

from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmavs.datasets.transforms.random_state import RandomState


@TRANSFORMS.register_module()
class ClipTransform(BaseTransform):
    """Apply transforms to all frames of a clip with one random draw.

    Every frame gets a results dict of its own, as the transforms of mmcv
    and MMSegmentation expect it, with its own ``seg_fields`` list: a shared
    one would make a flip turn the k-th mask k times. The random generators
    of Python, NumPy and torch are put back before each transform of each
    frame, so also a transform that does not cache its randomness (such as
    ``PhotoMetricDistortion``) treats all frames of the clip alike.

    A transform with a private random generator escapes this; mmcv and
    MMSegmentation have none but the wrapper of Albumentations.

    Required keys: ``img_paths`` or ``imgs``; optional ``seg_map_paths``,
    ``label_map``, ``reduce_zero_label``, ``allow_empty_masks``,
    ``palette``.
    Added key: ``frames``, a list of T results dicts.

    Args:
        transforms (Sequence): Transforms or their configs, in order.

    Raises:
        ValueError: If the lists of the clip differ in length.
        RuntimeError: If a transform consumes other randomness on one frame
            than on the first.
    """

    # clip key with one entry per frame -> key in the results of a frame
    FRAME_KEYS = dict(
        img_paths='img_path', imgs='img', seg_map_paths='seg_map_path'
    )
    # clip key -> what a frame sees if the clip says nothing
    SHARED_KEYS = dict(
        label_map=None,
        reduce_zero_label=False,
        allow_empty_masks=True,
        palette=None,
    )

    def __init__(self, transforms: Sequence[dict | Callable]) -> None:
        self.transforms = [
            TRANSFORMS.build(t) if isinstance(t, dict) else t
            for t in transforms
        ]

    def transform(self, results: dict) -> dict | None:
        """Transform the frames of one clip.

        Args:
            results: Results of the clip.

        Returns:
            dict: The same results with ``frames``; None if a transform gave
            a frame up, as mmcv's loaders do with ``ignore_empty=True``.
        """
        frames = self._split(results)
        before = after = RandomState.capture()
        for transform in self.transforms:
            for t, frame in enumerate(frames):
                if t > 0:
                    before.restore()
                frames[t] = transform(frame)
                if frames[t] is None:
                    return None
                drawn = RandomState.capture()
                if t == 0:
                    after = drawn
                elif not drawn.equals(after):
                    raise RuntimeError(
                        f'{transform} drew other random numbers for frame '
                        f'{t} than for frame 0 of clip '
                        f'{results.get("video_id", "?")!r}: the frames of '
                        'one clip would be transformed differently'
                    )
            before = after
        results['frames'] = frames
        return results

    def _split(self, results: dict) -> list[dict]:
        """Make one results dict per frame."""
        per_frame = {
            frame_key: results[clip_key]
            for clip_key, frame_key in self.FRAME_KEYS.items()
            if clip_key in results
        }
        lengths = {key: len(values) for key, values in per_frame.items()}
        if not {'img_path', 'img'} & set(lengths):
            raise ValueError(
                'a clip needs img_paths or imgs, got the keys '
                f'{sorted(results)}'
            )
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise ValueError(
                'every list of a clip must have one entry per frame, got '
                f'{lengths} in clip {results.get("video_id", "?")!r}'
            )
        shared = {
            key: results.get(key, default)
            for key, default in self.SHARED_KEYS.items()
        }
        return [
            dict(
                zip(per_frame, values, strict=True),
                frame_idx=t,
                seg_fields=[],
                **shared,
            )
            for t, values in enumerate(zip(*per_frame.values(), strict=True))
        ]

    def __repr__(self) -> str:
        inner = ', '.join(map(repr, self.transforms))
        return f'{self.__class__.__name__}(transforms=[{inner}])'
