"""Keeps a specific code apart from the shared one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.latent_terms import orthogonality


@MODELS.register_module()
class OrthogonalityLoss(nn.Module):
    """Sum of the overlaps of pairs of codes, on both paths.

    Args:
        pairs: names of the codes that must not share information.
        loss_weight: factor on the value.
        loss_name: name in the log.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]] = (
            ('visual_specific', 'shared'),
            ('audio_specific', 'shared'),
        ),
        loss_weight: float = 0.001,
        loss_name: str = 'loss_orthogonality',
    ) -> None:
        super().__init__()
        self.pairs = [tuple(pair) for pair in pairs]
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(self, *paths: Mapping[str, Tensor]) -> Tensor:
        """Scalar from the samples of each path, name to (N, K)."""
        value = sum(
            orthogonality(samples[a], samples[b])
            for samples in paths
            for a, b in self.pairs
        )
        return self.loss_weight * value
