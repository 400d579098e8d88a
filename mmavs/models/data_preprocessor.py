"""The one place where clips become frames."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.structures import PixelData
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmavs.structures.clip_batch import ClipBatch

LOG_MEL_SHAPE = (1, 96, 64)
# Metainfo with one entry per frame -> its key in the sample of a frame.
FRAME_METAINFO = dict(img_paths='img_path', seg_map_paths='seg_map_path')


def split_clip_sample(
    sample: SegDataSample, num_frames: int
) -> list[SegDataSample]:
    """Split the sample of a clip into those of its frames.

    Args:
        sample: Sample of a clip, ``gt_sem_seg`` (T, H, W) if it has masks.
        num_frames: T.

    Returns:
        list[SegDataSample]: T samples with the clip's metainfo, their own
        ``img_path`` and ``seg_map_path``, ``frame_idx`` 0 .. T - 1,
        ``num_frames``, and ``gt_sem_seg`` (1, H, W) int64. The clip's
        sample is left as it is.

    Raises:
        ValueError: If the sample does not describe ``num_frames`` frames.
    """
    metainfo = sample.metainfo
    name = metainfo.get('video_id', '?')
    per_frame = {
        frame_key: metainfo.pop(clip_key)
        for clip_key, frame_key in FRAME_METAINFO.items()
        if clip_key in metainfo
    }
    lengths = {key: len(values) for key, values in per_frame.items()}
    lengths['num_frames'] = metainfo.get('num_frames', num_frames)
    masks = None
    if 'gt_sem_seg' in sample:
        masks = sample.gt_sem_seg.data.long()
        lengths['gt_sem_seg'] = len(masks)
    if set(lengths.values()) != {num_frames}:
        raise ValueError(
            f'the data sample of clip {name!r} must describe '
            f'{num_frames} frames, got {lengths}'
        )
    metainfo['num_frames'] = num_frames

    samples = []
    for t in range(num_frames):
        own = {key: values[t] for key, values in per_frame.items()}
        frame = SegDataSample(metainfo={**metainfo, **own, 'frame_idx': t})
        if masks is not None:
            frame.gt_sem_seg = PixelData(data=masks[t : t + 1])
        samples.append(frame)
    return samples


@MODELS.register_module()
class AVSegDataPreProcessor(SegDataPreProcessor):
    """Flatten clips into frames and prepare these as MMSegmentation does.

    Time exists on both ends of the model only: from here on the batch is
    N = B * T frames, clip-major (n = b * T + t). Colour order,
    normalisation, padding and stacking are upstream's, with its arguments
    ``mean``, ``std``, ``bgr_to_rgb``, ``size``, ``size_divisor``,
    ``pad_val``, ``seg_pad_val``, ``test_cfg`` and the others.

    Args:
        channels_last (bool): Whether to lay frames out in torch's
            ``channels_last`` memory format. Defaults to False.
        **kwargs: Arguments of
            :class:`mmseg.models.SegDataPreProcessor`. With neither ``size``
            nor ``size_divisor``, training frames are padded to the largest
            of the batch (``size_divisor=1``); upstream refuses that.

    Shapes:
        - in, ``inputs['frames']``: B tensors (T, 3, H, W), uint8 or float
        - in, ``inputs['log_mel']``: B tensors (T, 1, 96, 64)
        - in, ``data_samples``: B samples, ``gt_sem_seg`` (T, H, W);
          optional outside training
        - out, ``inputs``: :class:`ClipBatch` of N frames; its
          ``audio_keys`` are the clips' ``audio_key``
        - out, ``data_samples``: N samples, ``gt_sem_seg`` (1, H, W); or
          None

    Raises:
        TypeError: If ``inputs`` is not a dict with both keys.
        ValueError: If a shape is wrong, or clips differ in T.
    """

    def __init__(self, *, channels_last: bool = False, **kwargs) -> None:
        if kwargs.get('size') is None and kwargs.get('size_divisor') is None:
            kwargs['size_divisor'] = 1
        super().__init__(**kwargs)
        self.memory_format = (
            torch.channels_last if channels_last else torch.contiguous_format
        )

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Cast, check, flatten, normalise and pad a batch of clips.

        Args:
            data: ``inputs`` and optional ``data_samples``, as
                ``pseudo_collate`` gives them.
            training: Whether to pad as in training.

        Returns:
            dict: ``inputs`` and ``data_samples``.
        """
        data = self.cast_data(data)
        frames, log_mel = self._checked_inputs(data['inputs'])
        num_frames = len(frames[0])
        samples = data.get('data_samples')
        if samples is None and training:
            raise ValueError(
                'training needs data_samples with masks, got None'
            )
        if samples is not None and len(samples) != len(frames):
            raise ValueError(
                f'{len(frames)} clips need as many '
                f'data_samples, got {len(samples)}'
            )

        # Upstream pads through the samples in testing, so it needs some.
        clip_samples = samples or [SegDataSample() for _ in frames]
        flat = super().forward(
            dict(
                inputs=[frame for clip in frames for frame in clip.unbind()],
                data_samples=[
                    frame
                    for sample in clip_samples
                    for frame in split_clip_sample(sample, num_frames)
                ],
            ),
            training,
        )
        batch = ClipBatch(
            frames=flat['inputs'].contiguous(memory_format=self.memory_format),
            log_mel=torch.cat(log_mel).float(),
            num_frames=num_frames,
            audio_keys=samples
            and tuple(sample.get('audio_key') for sample in samples),
        )
        return dict(
            inputs=batch,
            data_samples=None if samples is None else flat['data_samples'],
        )

    @staticmethod
    def _checked_inputs(
        inputs: Mapping[str, Sequence[Tensor]],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Check the shapes of a batch and return its two lists."""
        if not isinstance(inputs, Mapping) or not (
            {'frames', 'log_mel'} <= inputs.keys()
        ):
            got = (
                sorted(inputs)
                if isinstance(inputs, Mapping)
                else type(inputs).__name__
            )
            raise TypeError(
                f"inputs must be a dict with 'frames' and 'log_mel', got {got}"
            )
        frames, log_mel = list(inputs['frames']), list(inputs['log_mel'])
        if not frames or len(frames) != len(log_mel):
            raise ValueError(
                'frames and log_mel must list the same clips, got '
                f'{len(frames)} and {len(log_mel)}'
            )
        for clip, patches in zip(frames, log_mel, strict=True):
            if clip.ndim != 4 or clip.shape[1] != 3 or len(clip) == 0:
                raise ValueError(
                    f'frames must be (T, 3, H, W), got {tuple(clip.shape)}'
                )
            if patches.shape != (len(clip), *LOG_MEL_SHAPE):
                raise ValueError(
                    f'log_mel must be {(len(clip), *LOG_MEL_SHAPE)}, one '
                    f'patch per frame, got {tuple(patches.shape)}'
                )
        lengths = [len(clip) for clip in frames]
        if len(set(lengths)) != 1:
            raise ValueError(
                'all clips of a batch must have the same number of frames, '
                f'got {lengths}: the data loader takes batch_sampler='
                "dict(type='SameLengthBatchSampler')"
            )
        return frames, log_mel
