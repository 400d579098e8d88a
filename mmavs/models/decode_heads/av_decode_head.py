"""Decode head of a model without latents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.predictive import average_logits
from mmavs.structures import AVFeatures, FrameLabels, LatentPath


@MODELS.register_module()
class AVDecodeHead(BaseDecodeHead):
    """Fuses each level with the sound and decodes.

    Args:
        in_channels: channels of the levels, one number for each, all equal
            to ``channels``.
        channels: C.
        fusion: config of the fusion of one level.
        decoder: config of the decoder.
        loss_matching: config, or None to leave the term out.
        prior_weight: weight of the segmentation loss.
        **kwargs: as in mmseg's BaseDecodeHead; ``norm_cfg`` goes to the
            decoder. Binary segmentation is the
            default: ``num_classes=2, out_channels=1, threshold=0.5``.
            For C classes, background first, ``num_classes`` and
            ``out_channels`` are C and ``loss_decode`` is
            ``dict(type='CrossEntropyLoss', avg_non_ignore=True)``.

    Origin:
        With ``TPAVI`` and without latents, the baseline of Zhou et al.,
        «Audio-Visual Segmentation», 2022.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        *,
        fusion: dict,
        decoder: dict | None = None,
        loss_matching: dict | None = None,
        prior_weight: float = 1.0,
        num_classes: int = 2,
        out_channels: int = 1,
        threshold: float = 0.5,
        loss_decode: dict | Sequence[dict] = dict(type='StructureLoss'),  # noqa: B006 (mmseg passes configs this way)
        **kwargs,
    ) -> None:
        if set(in_channels) != {channels}:
            raise ValueError(
                f'every level must have channels={channels}, got '
                f'in_channels={tuple(in_channels)}: the neck maps them to '
                'model.neck.out_channels'
            )
        if out_channels == 1 and num_classes > 2:
            # mmseg would train a binary model and say nothing.
            raise ValueError(
                f'num_classes={num_classes} needs '
                f'out_channels={num_classes}, got 1'
            )
        kwargs.setdefault('dropout_ratio', 0)
        kwargs.setdefault('init_cfg', None)
        super().__init__(
            in_channels=list(in_channels),
            channels=channels,
            num_classes=num_classes,
            out_channels=out_channels,
            threshold=threshold,
            loss_decode=loss_decode,
            in_index=list(range(len(in_channels))),
            input_transform='multiple_select',
            **kwargs,
        )
        # The decoders end in a classifier of their own.
        del self.conv_seg
        self.fusion = nn.ModuleList(
            MODELS.build(dict(fusion, channels=channels)) for _ in in_channels
        )
        self._decoder_cfg = dict(
            decoder or dict(type='ResidualPyramidDecoder'),
            channels=channels,
            num_levels=len(in_channels),
            out_channels=out_channels,
        )
        if self.norm_cfg is not None:
            self._decoder_cfg.setdefault('norm_cfg', self.norm_cfg)
        self.prior_decoder = MODELS.build(self._decoder_cfg)
        self.loss_matching = build_optional(loss_matching)
        self.prior_weight = prior_weight

    def fuse(
        self, path: LatentPath, features: AVFeatures
    ) -> list[list[Tensor]]:
        """Levels of a path fused with the sound, once for each decoding.

        Shapes:
            - returns: D x L x (N, C, h_l, w_l), draw by draw. The decodings
              share the levels without codes.

        Raises:
            ValueError: if the neck has another number of levels, or other
                channels.
        """
        decodings = [each for draw in path.draws for each in draw.decodings]
        num_shared = len(path.levels)
        num_levels = num_shared + len(decodings[0])
        if num_levels != len(self.fusion):
            raise ValueError(
                f'the neck gave {num_levels} levels, but '
                f'decode_head.in_channels has {len(self.fusion)}, one per '
                'level'
            )
        if features.audio.shape[1] != self.channels:
            raise ValueError(
                f'the neck maps to out_channels={features.audio.shape[1]}, '
                f'but decode_head.channels={self.channels}: give both, and '
                'decode_head.in_channels, the same number'
            )
        audio, num_frames = features.audio, features.num_frames
        shared = [
            fusion(level, audio, num_frames)
            for fusion, level in zip(
                self.fusion[:num_shared], path.levels, strict=True
            )
        ]
        # As more clips of one batch: a norm sees each path once, however many
        # decodings it has.
        audio = audio.repeat(len(decodings), 1)
        # Unflattened, not cut: what is exported has no fixed N.
        own = [
            fusion(torch.cat(same), audio, num_frames)
            .unflatten(0, (len(decodings), -1))
            .unbind()
            for fusion, same in zip(
                self.fusion[num_shared:],
                zip(*decodings, strict=True),
                strict=True,
            )
        ]
        return [[*shared, *levels] for levels in zip(*own, strict=True)]

    def draw_logits(self, inputs: AVFeatures) -> list[Tensor]:
        """Logits (N, out_channels, H, W) of each draw of the prior path."""
        logits = [
            self.prior_decoder(levels, inputs.frame_size)
            for levels in self.fuse(inputs.prior, inputs)
        ]
        return [average_logits(g) for g in by_draw(logits, inputs.prior)]

    def forward(self, inputs: AVFeatures) -> Tensor:
        """Logits of the prior path, (N, out_channels, H, W)."""
        return average_logits(self.draw_logits(inputs))

    def loss(
        self,
        inputs: AVFeatures,
        batch_data_samples: list,
        train_cfg: dict | None,
    ) -> dict[str, Tensor]:
        """Every loss term and the watched values of a batch.

        Args:
            inputs: features with ``labels``.
            batch_data_samples: not read: the labels came with the features.
            train_cfg: not used.

        Returns:
            A flat dict of scalars; what starts with ``loss_`` is summed.

        Raises:
            ValueError: if neck and head do not fit.
        """
        self._check_latents(inputs)
        decodings = self.fuse(inputs.prior, inputs)
        logits = [
            self.prior_decoder(levels, inputs.frame_size)
            for levels in decodings
        ]
        # Exponentials, logarithms and small differences: in float32 also
        # where the network runs in half precision.
        with torch.autocast(logits[0].device.type, enabled=False):
            logits = [x.float() for x in logits]
            index = inputs.labels.index
            return {
                **self._segmentation(
                    'prior',
                    [x[index] for x in logits],
                    inputs.labels,
                    self.prior_weight,
                    len(inputs.prior.draws),
                ),
                **self._matching(logits, decodings, inputs.audio),
            }

    def _check_latents(self, inputs: AVFeatures) -> None:
        """Raise a ValueError unless the head trains all that the neck has."""
        if inputs.posterior is not None:
            raise ValueError(
                f'{type(self).__name__} has no use for the posterior path of '
                'the neck, whose parameters would get no gradient: it takes '
                'AVMappingNeck, and LatentFactorisationNeck takes '
                'VAEDecodeHead'
            )

    def check_classes(self, labels: FrameLabels) -> None:
        """Look for a class that has no channel.

        On a GPU the cross-entropy would stop without saying which it was.

        Raises:
            ValueError: if a mask holds one.
        """
        if self.out_channels == 1:
            return  # every class but the first is foreground
        known = labels.labels != labels.ignore_index
        largest = int(labels.labels.where(known, 0).max())
        if largest >= self.out_channels:
            raise ValueError(
                f'a mask holds class {largest}, but decode_head.num_classes='
                f'{self.num_classes}: it must be the number of classes of the '
                'data set, background included'
            )

    def _segmentation(
        self,
        path: str,
        logits: Sequence[Tensor],
        labels: FrameLabels,
        weight: float,
        num_draws: int = 1,
    ) -> dict[str, Tensor]:
        """Segmentation loss and watched IoU of all decodings of a path.

        Those of one draw add up (Eq. 11); over draws it is the mean.
        """
        terms = self.loss_decode
        if not isinstance(terms, nn.ModuleList):
            terms = [terms]
        losses: dict[str, Tensor] = {}
        for term in terms:
            name = f'{term.loss_name}_{path}'
            values = [
                term(x, labels.labels, ignore_index=self.ignore_index)
                for x in logits
            ]
            losses[name] = (
                losses.get(name, 0) + weight * sum(values) / num_draws
            )
        losses[f'iou_{path}'] = self._foreground_iou(
            average_logits([x.detach() for x in logits]), labels
        )
        return losses

    def _matching(
        self,
        logits: Sequence[Tensor],
        decodings: Sequence[Sequence[Tensor]],
        audio: Tensor,
    ) -> dict[str, Tensor]:
        """Audio-visual matching of all frames, averaged over decodings."""
        term = self.loss_matching
        if term is None:
            return {}
        values = [
            term(x, levels, audio)
            for x, levels in zip(logits, decodings, strict=True)
        ]
        return {term.loss_name: sum(values) / len(values)}

    @torch.no_grad()
    def _foreground_iou(self, logits: Tensor, labels: FrameLabels) -> Tensor:
        """IoU of the foreground of all labelled frames together, to watch.

        It takes the place of mmseg's ``acc_seg``, which for one channel is
        the share of background.
        """
        if self.out_channels == 1:
            predicted = logits.sigmoid()[:, 0] > self.threshold
        else:
            predicted = logits.argmax(1) > 0
        known = labels.labels != labels.ignore_index
        target = (labels.labels > 0) & known
        predicted = predicted & known
        union = (predicted | target).sum().clamp(min=1)
        return (predicted & target).sum() / union


def build_optional(cfg: dict | None) -> nn.Module | None:
    """Build a component; None stays None."""
    return None if cfg is None else MODELS.build(cfg)


def by_draw(decodings: Sequence, path: LatentPath) -> list[Sequence]:
    """Group what there is of each decoding by the draws of a path."""
    step = len(path.draws[0].decodings)
    return [decodings[i : i + step] for i in range(0, len(decodings), step)]
