"""Decode head of the conditional multimodal VAE."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.structures import AVFeatures, FrameLabels, LatentPath


@MODELS.register_module()
class VAEDecodeHead(BaseDecodeHead):
    """Fuses each level with the sound, decodes both paths, and trains them.

    One fusion per level serves the prior and the posterior path; each path
    has its own decoder. At test only the prior path exists.

    Args:
        in_channels: channels of the levels, one number for each, all equal
            to ``channels``.
        channels: C.
        fusion: config of the fusion of one level.
        decoder: config of a decoder.
        divergences: name of a latent to the config of the divergence between
            its posterior and its prior.
        loss_orthogonality: config, or None to leave the term out.
        loss_mutual_information: config, or None to leave the term out.
        loss_matching: config, or None to leave the term out.
        prior_weight: weight of the segmentation loss of the prior path.
        posterior_weight: gamma of Eq. 11, weight of that of the posterior.
        **kwargs: as in mmseg's BaseDecodeHead; ``norm_cfg`` goes to the
            decoders. Binary segmentation is the
            default: ``num_classes=2, out_channels=1, threshold=0.5``.

    Equation:
        Total to minimise: minus Eq. 14 of the supplement plus the
        reconstruction of the prior path (Sohn et al., 2015) and the
        regularisers; see ``docs/architecture.md`` for the names in the log.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        *,
        fusion: dict,
        decoder: dict | None = None,
        divergences: dict[str, dict] | None = None,
        loss_orthogonality: dict | None = None,
        loss_mutual_information: dict | None = None,
        loss_matching: dict | None = None,
        prior_weight: float = 1.0,
        posterior_weight: float = 1.0,
        num_classes: int = 2,
        out_channels: int = 1,
        threshold: float = 0.5,
        loss_decode: dict | Sequence[dict] = dict(type='StructureLoss'),  # noqa: B006 (mmseg passes configs this way)
        **kwargs,
    ) -> None:
        if set(in_channels) != {channels}:
            raise ValueError(
                f'every level must have channels={channels}, got '
                f'in_channels={tuple(in_channels)}: the neck maps them'
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
        decoder = dict(decoder or dict(type='ResidualPyramidDecoder'))
        if self.norm_cfg is not None:
            decoder.setdefault('norm_cfg', self.norm_cfg)
        self.prior_decoder, self.posterior_decoder = (
            MODELS.build(
                dict(
                    decoder,
                    channels=channels,
                    num_levels=len(in_channels),
                    out_channels=out_channels,
                )
            )
            for _ in range(2)
        )
        self.divergences = nn.ModuleDict(
            {
                name: MODELS.build(cfg)
                for name, cfg in (divergences or {}).items()
            }
        )
        self.loss_orthogonality = _build_optional(loss_orthogonality)
        self.loss_mutual_information = _build_optional(loss_mutual_information)
        self.loss_matching = _build_optional(loss_matching)
        self.prior_weight = prior_weight
        self.posterior_weight = posterior_weight

    def fuse(self, path: LatentPath, features: AVFeatures) -> list[Tensor]:
        """Levels of one path fused with the sound, L x (N, C, h_l, w_l)."""
        return [
            fusion(level, features.audio, features.num_frames)
            for fusion, level in zip(self.fusion, path.levels, strict=True)
        ]

    def forward(self, inputs: AVFeatures) -> Tensor:
        """Logits of the prior path, (N, out_channels, H, W)."""
        levels = self.fuse(inputs.prior, inputs)
        return self.prior_decoder(levels, inputs.frame_size)

    def loss(
        self,
        inputs: AVFeatures,
        batch_data_samples: list,
        train_cfg: dict | None,
    ) -> dict[str, Tensor]:
        """Every loss term and the watched values of a batch.

        Args:
            inputs: features with ``labels`` and the posterior path.
            batch_data_samples: not read: the labels came with the features.
            train_cfg: not used.

        Returns:
            A flat dict of scalars; what starts with ``loss_`` is summed.
        """
        index = inputs.labels.index
        prior_levels = self.fuse(inputs.prior, inputs)
        prior_logits = self.prior_decoder(prior_levels, inputs.frame_size)
        # The loss of the posterior path is on labelled frames only: in S4
        # one in five needs decoding.
        posterior_logits = self.posterior_decoder(
            [level[index] for level in self.fuse(inputs.posterior, inputs)],
            inputs.frame_size,
        )
        # Exponentials, logarithms and small differences: in float32 also
        # where the network runs in half precision.
        with torch.autocast(prior_logits.device.type, enabled=False):
            prior_logits = prior_logits.float()
            return {
                **self._segmentation(
                    'prior',
                    prior_logits[index],
                    inputs.labels,
                    self.prior_weight,
                ),
                **self._segmentation(
                    'posterior',
                    posterior_logits.float(),
                    inputs.labels,
                    self.posterior_weight,
                ),
                **self._latent_terms(inputs.prior, inputs.posterior, index),
                **self._matching(prior_logits, prior_levels, inputs.audio),
            }

    def _segmentation(
        self, path: str, logits: Tensor, labels: FrameLabels, weight: float
    ) -> dict[str, Tensor]:
        """Segmentation loss and watched IoU of one path."""
        terms = self.loss_decode
        if not isinstance(terms, nn.ModuleList):
            terms = [terms]
        losses: dict[str, Tensor] = {}
        for term in terms:
            name = f'{term.loss_name}_{path}'
            losses[name] = losses.get(name, 0) + weight * term(
                logits, labels.labels, ignore_index=self.ignore_index
            )
        losses[f'iou_{path}'] = self._foreground_iou(logits, labels)
        return losses

    def _latent_terms(
        self, prior: LatentPath, posterior: LatentPath, index: Tensor
    ) -> dict[str, Tensor]:
        """Divergences and regularisers of the latents of labelled frames."""
        losses = {
            f'{divergence.loss_name}_{name}': divergence(
                posterior.gaussians[name], prior.gaussians[name].select(index)
            )
            for name, divergence in self.divergences.items()
        }
        paths = (prior, posterior)
        if self.loss_orthogonality is not None:
            samples = (
                {name: x[index].float() for name, x in path.samples.items()}
                for path in paths
            )
            term = self.loss_orthogonality
            losses[term.loss_name] = term(*samples)
        if self.loss_mutual_information is not None:
            codes = (
                (
                    path.visual_code[index].float(),
                    path.audio_code[index].float(),
                )
                for path in paths
            )
            term = self.loss_mutual_information
            losses[term.loss_name] = term(*codes)
        return losses

    def _matching(
        self, logits: Tensor, levels: Sequence[Tensor], audio: Tensor
    ) -> dict[str, Tensor]:
        """Audio-visual matching of all frames of the prior path."""
        term = self.loss_matching
        if term is None:
            return {}
        return {term.loss_name: term(logits, levels, audio)}

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


def _build_optional(cfg: dict | None) -> nn.Module | None:
    return None if cfg is None else MODELS.build(cfg)
