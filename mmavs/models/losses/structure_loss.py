"""Segmentation loss of the published recipe."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.functional.structure_loss import structure_loss


@MODELS.register_module()
class StructureLoss(nn.Module):
    """Boundary-weighted cross-entropy plus boundary-weighted IoU.

    Takes the arguments that mmseg gives to a segmentation loss.

    Args:
        weighted_bce: weight the cross-entropy near boundaries too. False is
            the published form, see
            :func:`mmavs.functional.structure_loss.structure_loss`.
        boundary_window: side of the window, in pixels of the input and odd,
            that decides what is near a boundary; 31 is the published one,
            for 224 pixels.
        loss_weight: factor on the value.
        loss_name: name in the log; starts with ``loss_`` to enter the sum.

    Raises:
        ValueError: if the window is even or below 1.

    Equation:
        Segmentation term of the reconstruction in Eq. 11 of the supplement.
    """

    def __init__(
        self,
        weighted_bce: bool = True,
        boundary_window: int = 31,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_structure',
    ) -> None:
        super().__init__()
        if boundary_window < 1 or boundary_window % 2 == 0:
            raise ValueError(
                f'boundary_window must be odd and positive, got '
                f'{boundary_window}'
            )
        self.weighted_bce = weighted_bce
        self.boundary_window = boundary_window
        self.loss_weight = loss_weight
        self._loss_name = loss_name

    def forward(
        self,
        seg_logits: Tensor,
        seg_label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
        **kwargs,
    ) -> Tensor:
        """Mean over the frames, as a scalar.

        Shapes:
            - seg_logits: (N, 1, H, W).
            - seg_label: (N, H, W), class indices; every class but 0 counts
              as foreground.
            - weight: (N, H, W) or None, a factor per pixel.

        Raises:
            ValueError: if the logits do not have one channel.
        """
        if seg_logits.size(1) != 1:
            raise ValueError(
                'StructureLoss takes logits of shape (N, 1, H, W), got '
                f'{tuple(seg_logits.shape)}; use a cross-entropy for several '
                'classes'
            )
        known = (seg_label != ignore_index).unsqueeze(1)
        target = ((seg_label.unsqueeze(1) > 0) & known).to(seg_logits.dtype)
        valid = known.to(seg_logits.dtype)
        if weight is not None:
            valid = valid * weight.unsqueeze(1)
        value = structure_loss(
            seg_logits,
            target,
            valid,
            weighted_bce=self.weighted_bce,
            boundary_window=self.boundary_window,
        )
        return self.loss_weight * value.mean()

    @property
    def loss_name(self) -> str:
        """Name of the value in the log."""
        return self._loss_name
