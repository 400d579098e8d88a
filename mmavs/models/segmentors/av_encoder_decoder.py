"""Encoder-decoder segmentor that also hears."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmavs.functional.predictive import (
    at_least_float32,
    average_logits,
    foreground_std,
)
from mmavs.structures import (
    AVFeatures,
    ClipBatch,
    ClipPrediction,
    FrameLabels,
)


@MODELS.register_module()
class AVEncoderDecoder(EncoderDecoder):
    """Segments the pixels of what sounds in each frame of a clip.

    mmseg's EncoderDecoder with a second backbone for the sound. Inputs are
    the :class:`ClipBatch` of ``AVSegDataPreProcessor``; everything after it
    works on N = B T frames.

    Args:
        backbone: config of the visual backbone, any that gives levels.
        audio_backbone: config of the audio backbone.
        neck: config of the neck.
        decode_head: config of the decode head.
        deaf: whether the sound is left out: every embedding is zero, in
            training and at test. The vision-only model, to measure how far
            one gets without listening.
        **kwargs: as in mmseg's EncoderDecoder (``train_cfg``, ``test_cfg``,
            ``data_preprocessor``, ``init_cfg``).
            ``test_cfg=dict(num_samples=S)`` draws the codes S times at
            prediction: the probabilities are averaged, and every data sample
            gets ``uncertainty``, (1, H, W), the standard deviation of the
            probability of the foreground over the draws. Without it the
            codes are their means, and a prediction is deterministic. With a
            single draw the uncertainty is zero everywhere.

    Raises:
        ValueError: for ``test_cfg.mode='slide'``, a negative
            ``num_samples`` or an auxiliary head.
    """

    def __init__(
        self,
        backbone: dict,
        audio_backbone: dict,
        neck: dict,
        decode_head: dict,
        deaf: bool = False,
        **kwargs,
    ) -> None:
        if kwargs.get('auxiliary_head') is not None:
            raise ValueError(
                'AVEncoderDecoder has no auxiliary_head: the decode head '
                'supervises the prior and the posterior path'
            )
        # A ConfigDict: mmseg reads test_cfg.mode as an attribute.
        kwargs['test_cfg'] = ConfigDict(kwargs.get('test_cfg') or {})
        mode = kwargs['test_cfg'].setdefault('mode', 'whole')
        if mode != 'whole':
            raise ValueError(
                f"test_cfg.mode must be 'whole', got {mode!r}: the latent "
                'codes and the temporal fusion need the whole frames of a '
                'clip; resize the frames instead of sliding a window'
            )
        num_samples = kwargs['test_cfg'].setdefault('num_samples', 0)
        if not isinstance(num_samples, int) or num_samples < 0:
            raise ValueError(
                'test_cfg.num_samples must be a whole number, 0 or more, got '
                f'{num_samples!r}'
            )
        super().__init__(
            backbone=backbone, neck=neck, decode_head=decode_head, **kwargs
        )
        self.audio_backbone = MODELS.build(audio_backbone)
        self.deaf = deaf

    def extract_feat(
        self,
        inputs: ClipBatch,
        labels: FrameLabels | None = None,
        num_samples: int = 0,
        levels: Sequence[Tensor] | None = None,
    ) -> AVFeatures:
        """Prior path and, with labels, posterior path of a batch.

        Args:
            inputs: B clips.
            labels: masks of the labelled frames.
            num_samples: how often the codes are drawn, see the class.
            levels: of the visual backbone, see :meth:`predict_clips`.
        """
        return self.neck(
            self.backbone(inputs.frames) if levels is None else levels,
            frames=inputs.frames,
            audio=self._embed(inputs),
            num_frames=inputs.num_frames,
            labels=labels,
            num_samples=num_samples,
        )

    def _embed(self, inputs: ClipBatch) -> Tensor:
        """Audio embeddings (N, audio_channels).

        Any audio backbone takes log-mels. One with an ``embedding_cache``
        also has ``embed_clips``, which knows clips again by their keys.
        """
        if self.deaf:
            size = inputs.log_mel.shape[0], self.neck.audio_channels
            return inputs.log_mel.new_zeros(size)
        network = self.audio_backbone
        # The cache first: a compiled model is not to look at keys in vain,
        # which are others in every batch.
        if getattr(network, 'embedding_cache', None) and inputs.audio_keys:
            return network.embed_clips(inputs.log_mel, inputs.audio_keys)
        return network(inputs.log_mel)

    def predict(
        self, inputs: ClipBatch, data_samples: list | None = None
    ) -> list:
        """Results of every frame; see the class for ``uncertainty``."""
        return self.postprocess_clips(self.predict_clips(inputs), data_samples)

    def predict_clips(
        self, inputs: ClipBatch, levels: Sequence[Tensor] | None = None
    ) -> ClipPrediction:
        """Predict a batch at the size of its input.

        Predictions of one frame from several clips, whose windows overlap
        say, can be averaged before :meth:`postprocess_clips`.

        Args:
            inputs: B clips.
            levels: what ``backbone(inputs.frames)`` gives, for frames that
                are predicted with several sounds. By default it is computed.
        """
        num_samples = self.test_cfg.num_samples
        features = self.extract_feat(
            inputs, num_samples=num_samples, levels=levels
        )
        draws = self.decode_head.draw_logits(features)
        return ClipPrediction(
            # In half precision a sigmoid is too coarse for a threshold.
            logits=at_least_float32(average_logits(draws)),
            uncertainty=foreground_std(draws) if num_samples else None,
            codes={
                name: at_least_float32(distribution.mean)
                for name, distribution in features.prior.distributions.items()
            },
        )

    def postprocess_clips(
        self, prediction: ClipPrediction, data_samples: list | None = None
    ) -> list:
        """Make results of predictions, in the size of each frame's file.

        Args:
            prediction: of N frames.
            data_samples: N samples, whose metainfo says how the frames were
                prepared; without them the size stays that of the input.

        Returns:
            N samples with ``pred_sem_seg``, ``seg_logits`` (probabilities
            where there is one channel) and, if something was drawn,
            ``uncertainty``.
        """
        if prediction.uncertainty is None:
            return self.postprocess_result(prediction.logits, data_samples)
        # Once more for the same crop, flip and size. Two equal channels:
        # mmseg takes the sigmoid of a single one.
        blank = data_samples and [
            SegDataSample(metainfo=sample.metainfo) for sample in data_samples
        ]
        maps = self.postprocess_result(
            prediction.uncertainty.repeat(1, 2, 1, 1), blank
        )
        results = self.postprocess_result(prediction.logits, data_samples)
        for result, value in zip(results, maps, strict=True):
            result.set_data(
                dict(uncertainty=PixelData(data=value.seg_logits.data[:1]))
            )
        return results

    def loss(self, inputs: ClipBatch, data_samples: list) -> dict:
        """Losses of a batch; the masks are read from the samples here only.

        Args:
            inputs: frames (N, 3, H, W), log_mel (N, 1, 96, 64).
            data_samples: N samples with ``gt_sem_seg`` (1, H, W).
        """
        return self.loss_of_labels(inputs, self._read_labels(data_samples))

    # What is in the samples decides shapes: a compiled graph begins after it.
    @torch.compiler.disable
    def _read_labels(self, data_samples: list) -> FrameLabels:
        """The masks of the labelled frames, checked."""
        labels = FrameLabels.from_samples(
            data_samples, self.decode_head.ignore_index
        )
        self.decode_head.check_classes(labels)
        return labels

    def loss_of_labels(self, inputs: ClipBatch, labels: FrameLabels) -> dict:
        """Losses of a batch whose masks are read; one graph when compiled."""
        features = self.extract_feat(inputs, labels)
        return self._decode_head_forward_train(features, [])

    def _forward(
        self, inputs: ClipBatch, data_samples: list | None = None
    ) -> Tensor:
        """Logits (N, out_channels, H, W) at the size of the input."""
        return self.decode_head(self.extract_feat(inputs))
