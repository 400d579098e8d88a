"""Pack a clip into one sample."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import PixelData
from mmseg.registry import TRANSFORMS
from mmseg.structures import SegDataSample


def stack_frames(frames: list[dict], key: str, name: str) -> np.ndarray:
    """Stack one array of every frame.

    Args:
        frames: Results of the T frames.
        key: The array's key.
        name: The clip's name, for error messages.

    Returns:
        np.ndarray: (T, ...) contiguous.

    Raises:
        ValueError: If a frame lacks the array or the shapes differ.
    """
    arrays = [frame.get(key) for frame in frames]
    shapes = [getattr(array, 'shape', None) for array in arrays]
    if len(set(shapes)) != 1 or shapes[0] is None:
        raise ValueError(
            f'all frames of clip {name!r} must have {key!r} in one shape, '
            f'got {shapes}'
        )
    return np.stack(arrays)


def digest_array(array: np.ndarray) -> str:
    """Digest of an array's type, shape and content, 40 hex digits."""
    digest = hashlib.blake2b(
        f'{array.dtype.str} {array.shape}'.encode(), digest_size=20
    )
    digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


@TRANSFORMS.register_module()
class PackAVSInputs(BaseTransform):
    """Pack a clip: one sample, however many frames.

    A list of T samples per clip would be transposed by mmengine's
    ``pseudo_collate``; the data preprocessor splits the clip into frames.

    Required keys: ``frames`` (of ``ClipTransform``), ``log_mel``. Masks are
    packed if the frames have them.

    Args:
        meta_keys (Sequence[str]): Keys to keep in the sample's metainfo
            where present. They are looked up in the clip's results, then in
            those of its first frame: geometry is the same for all frames.
            ``audio_key`` is made here: a digest of the log-mel, by which a
            frozen audio network knows a clip again. There is none where the
            sound is augmented (``audio_augmented``), that is another one
            every time.

    Returns of ``transform``:
        dict: ``inputs`` = dict(frames, log_mel), ``data_samples`` = one
        ``SegDataSample`` with ``gt_sem_seg``.

    Shapes:
        - frames: (T, 3, H, W) uint8, or float if a transform made it so
        - log_mel: (T, 1, 96, 64) float32
        - gt_sem_seg: (T, H, W) uint8; the data preprocessor makes it int64
    """

    META_KEYS = (
        'video_id',
        'category',
        'objects',
        'subset',
        'num_frames',
        'img_paths',
        'seg_map_paths',
        'audio_path',
        'audio_key',
        'sound_condition',
        'ori_shape',
        'img_shape',
        'pad_shape',
        'scale_factor',
        'flip',
        'flip_direction',
        'reduce_zero_label',
    )

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        """Pack the results of one clip.

        Args:
            results: Results of the clip.

        Returns:
            dict: ``inputs`` and ``data_samples``.
        """
        frames = results['frames']
        name = results.get('video_id', '?')
        images = stack_frames(frames, 'img', name)  # (T, H, W, 3)
        inputs = dict(
            frames=torch.from_numpy(
                np.ascontiguousarray(images.transpose(0, 3, 1, 2))
            ),
            log_mel=torch.from_numpy(results['log_mel']),
        )

        sample = SegDataSample()
        if any('gt_seg_map' in frame for frame in frames):
            masks = stack_frames(frames, 'gt_seg_map', name)
            sample.gt_sem_seg = PixelData(data=torch.from_numpy(masks))
        merged = {**frames[0], **results}
        if 'audio_key' in self.meta_keys and not merged.get('audio_augmented'):
            merged['audio_key'] = digest_array(results['log_mel'])
        sample.set_metainfo(
            {key: merged[key] for key in self.meta_keys if key in merged}
        )
        return dict(inputs=inputs, data_samples=sample)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(meta_keys={self.meta_keys})'
