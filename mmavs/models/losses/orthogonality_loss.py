"""Keeps a specific code apart from the shared one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.latent_terms import orthogonality
from mmavs.models.losses.gathered_rows import gather_rows


@MODELS.register_module()
class OrthogonalityLoss(nn.Module):
    """Sum of the overlaps of pairs of codes, on both paths.

    The codes are centred over the batch. In a distributed run that is the
    batch of each process, and the gradients are averaged, unless the codes of
    all processes are gathered first.

    Args:
        pairs: names of the codes that must not share information.
        gather: centre over the frames of all processes and compare those:
            the value and the gradient of one process with the whole batch.
            Nothing changes in a run of one process.
        loss_weight: factor on the value.
        loss_name: name in the log.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]] = (
            ('visual_specific', 'shared'),
            ('audio_specific', 'shared'),
        ),
        gather: bool = False,
        loss_weight: float = 0.001,
        loss_name: str = 'loss_orthogonality',
    ) -> None:
        super().__init__()
        self.pairs = [tuple(pair) for pair in pairs]
        self.gather = gather
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(self, *paths: Mapping[str, Tensor]) -> Tensor:
        """Scalar from the samples of each path, name to (N, K)."""
        if self.gather:
            names = sorted({name for pair in self.pairs for name in pair})
            paths = [
                {name: gather_rows(samples[name]) for name in names}
                for samples in paths
            ]
        value = sum(
            orthogonality(samples[a], samples[b])
            for samples in paths
            for a, b in self.pairs
        )
        return self.loss_weight * value
