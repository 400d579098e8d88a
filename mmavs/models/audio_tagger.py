"""Classifier that teaches an audio backbone what it hears."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class AudioTagger(BaseModel):
    """Names the categories that sound in each second of a clip.

    What AudioSet is to the public VGGish, the category labels of a data set
    are to a small one: a segmentation model whose audio network knows
    nothing does not learn to listen in a short training.

    Args:
        audio_backbone: config of the audio backbone.
        num_categories: number of categories.
        activity_weight: weight of the mean square of the embedding. The
            latent encoders take exponentials of linear maps of it; without a
            penalty it grows to some hundred times what they can start from.
        **kwargs: as in mmengine's BaseModel.
    """

    def __init__(
        self,
        audio_backbone: dict,
        num_categories: int,
        activity_weight: float = 0.01,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.activity_weight = activity_weight
        self.audio_backbone = MODELS.build(audio_backbone)
        self.classifier = nn.Linear(
            self.audio_backbone.out_channels, num_categories
        )

    def forward(
        self,
        inputs: list[Tensor],
        data_samples: list[BaseDataElement] | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[BaseDataElement]:
        """Run on the patches of B clips.

        Args:
            inputs: (T, 1, 96, 64) per clip.
            data_samples: with ``tags`` (num_categories,), for the loss.
            mode: ``tensor`` gives the logits of every patch, (N,
                num_categories); ``loss`` the binary cross-entropy
                and the activity penalty;
                ``predict`` adds ``scores`` (num_categories,), the mean
                probability over the clip, to the samples.
        """
        if mode != 'tensor' and data_samples is None:
            raise ValueError(f'mode {mode!r} needs data_samples, got None')
        num_patches = [len(log_mel) for log_mel in inputs]
        embedding = self.audio_backbone(torch.cat(inputs))
        logits = self.classifier(embedding)
        if mode == 'tensor':
            return logits
        if mode == 'predict':
            for sample, patches in zip(
                data_samples,
                logits.sigmoid().split(num_patches),
                strict=True,
            ):
                sample.scores = patches.mean(0)
            return data_samples
        if mode != 'loss':
            raise ValueError(
                f"mode must be 'tensor', 'loss' or 'predict', got {mode!r}"
            )
        tags = torch.stack([sample.tags for sample in data_samples])
        repeats = torch.tensor(num_patches, device=tags.device)
        tags = tags.repeat_interleave(repeats, dim=0)
        loss = F.binary_cross_entropy_with_logits(logits.float(), tags)
        activity = embedding.float().square().mean()
        return dict(
            loss_tags=loss, loss_activity=self.activity_weight * activity
        )
