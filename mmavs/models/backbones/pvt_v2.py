"""PVTv2 through timm, with a pretrained initialisation that works."""

from __future__ import annotations

from collections.abc import Sequence

import timm
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from timm.models.pvt_v2 import checkpoint_filter_fn
from torch import Tensor

from mmavs.models.backbones.pretrained import (
    check_init_cfg,
    load_whole,
    read_state,
)


@MODELS.register_module()
class PVTv2(BaseModule):
    """Pyramid Vision Transformer v2, four levels at strides 4 to 32.

    ``init_cfg=dict(type='Pretrained', checkpoint=...)`` takes a path or URL
    of ImageNet weights, in the naming of the original release or of timm,
    with or without the classification head; or ``timm://pvt_v2_b5.in1k`` for
    timm's own copy from the hub. Every tensor of the backbone must be in the
    file: a partial load is an error, never a warning.

    Args:
        variant: ``b0`` to ``b5``, or ``b2_li``.
        drop_path_rate: stochastic depth of the last block.
        out_indices: the levels to return.
        with_cp: recompute activations in the backward pass to save memory.
        init_cfg: see above; None starts from random weights.
        **kwargs: further arguments of timm's model (``embed_dims``, ...).
    """

    def __init__(
        self,
        variant: str = 'b5',
        drop_path_rate: float = 0.0,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        with_cp: bool = False,
        init_cfg: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(init_cfg)
        name = f'pvt_v2_{variant}'
        if not timm.is_model(name):
            known = [m[7:] for m in timm.list_models('pvt_v2_*')]
            raise ValueError(
                f'variant must be one of {", ".join(known)}; got {variant!r}'
            )
        check_init_cfg('PVTv2', init_cfg)
        self.out_indices = tuple(out_indices)
        self.timm_model = timm.create_model(
            name,
            pretrained=False,
            num_classes=0,
            drop_path_rate=drop_path_rate,
            **kwargs,
        )
        self.timm_model.set_grad_checkpointing(with_cp)

    def init_weights(self) -> None:
        """Load the weights of ``init_cfg``; without one keep timm's."""
        if self.init_cfg and not self._is_init:
            load_whole(
                self.timm_model,
                self.init_cfg['checkpoint'],
                'It should be an ImageNet checkpoint of the same variant, in '
                'the original or the timm naming.',
                self._read,
            )
        self._is_init = True

    def _read(self, source: str) -> dict[str, Tensor]:
        """State dict of a source, in timm's naming, without the head."""
        read = self._from_hub if source.startswith('timm://') else read_state
        state = checkpoint_filter_fn(read(source), self.timm_model)
        return {k: v for k, v in state.items() if not k.startswith('head.')}

    def _from_hub(self, source: str) -> dict:
        name = source.removeprefix('timm://')
        try:
            return timm.create_model(name, pretrained=True).state_dict()
        except Exception as error:
            raise RuntimeError(
                f'cannot fetch the ImageNet weights of {name} from the hub '
                f'({type(error).__name__}: {error}). With a local copy: '
                '--cfg-options model.backbone.init_cfg.checkpoint=FILE. From '
                'scratch: --cfg-options model.backbone.init_cfg=None'
            ) from error

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Levels of ``out_indices`` from (N, 3, H, W), finest first."""
        levels = self.timm_model.forward_intermediates(
            x, indices=list(self.out_indices), intermediates_only=True
        )
        return tuple(levels)
