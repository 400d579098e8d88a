"""Factorised latents whose codes are products of experts."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.registry import MODELS

from mmavs.functional.divergences import check_weights, product_of_experts
from mmavs.models.latents.latent_space import Codes, LatentSpace, Samples
from mmavs.structures import Distributions


@MODELS.register_module()
class ProductOfExpertsLatents(LatentSpace):
    """The code of a side is a sample of a product of Gaussian experts.

    The experts of the visual side are its specific and the shared Gaussian,
    those of the audio side likewise. The divergences and regularisers stay
    those of the single latents.

    Args:
        unit_expert: multiply by a standard Gaussian too, as published.
        weights: factors on the precision of the specific and of the shared
            expert; None for 1 each.
        **kwargs: as in :class:`LatentSpace`.

    Equation:
        sc_m ~ PoE(N(0, I), s_m, c), as published. The product of experts of
        Eq. 9 of the supplement is over the modalities instead, see
        :class:`JointProductLatents`.
    """

    def __init__(
        self,
        *,
        unit_expert: bool = True,
        weights: Sequence[float] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if weights is not None:
            check_weights(2, weights)
        self.unit_expert = unit_expert
        self.weights = weights

    def join(self, distributions: Distributions) -> Distributions:
        """Add the product of each side, ``visual`` and ``audio``."""
        products = {
            modality: product_of_experts(
                (
                    distributions[f'{modality}_specific'],
                    distributions['shared'],
                ),
                self.weights,
                self.unit_expert,
            )
            for modality in ('visual', 'audio')
        }
        return distributions | products

    def prior_codes(self, samples: Samples) -> Codes:
        """Samples of the two products of the prior path."""
        return samples['visual'], samples['audio']

    def posterior_codes(self, samples: Samples) -> Codes:
        """Samples of the two products of the posterior path."""
        return samples['visual'], samples['audio']
