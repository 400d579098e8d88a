"""VGGish: the audio backbone."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmavs.models.backbones.embedding_cache import EmbeddingCache
from mmavs.models.backbones.pretrained import check_init_cfg, load_whole


@MODELS.register_module()
class VGGish(BaseModule):
    """Convolutional network over log-mel patches of 0.96 s.

    The names of its parameters are those of the public PyTorch weights
    (``features.*``, ``embeddings.*``), so ``init_cfg`` loads that file as it
    is. No PCA, no quantisation.

    Args:
        width: factor on the number of channels of every layer but the last;
            1.0 is the published network.
        out_channels: size of the embedding.
        frozen: keep the weights fixed and the module in evaluation mode,
            also against ``train()``.
        init_cfg: for example
            ``dict(type='Pretrained', checkpoint='vggish.pth')``; every
            tensor must be in the file. Without weights the network is
            random, so do not freeze it then.
        cache_dir: folder that keeps the embedding of each clip, of a frozen
            network only; None, the default, keeps nothing. See
            :class:`EmbeddingCache`, and :meth:`embed_clips`, which uses it.

    Raises:
        ValueError: if ``width`` is not positive, ``init_cfg`` of another
            kind, or ``cache_dir`` given for a network that is trained.

    Origin:
        Hershey et al., «CNN Architectures for Large-Scale Audio
        Classification», 2017.
    """

    # (channels, convolutions) of each stage; a 2 x 2 pool ends a stage.
    stages = ((64, 1), (128, 1), (256, 2), (512, 2))
    hidden_channels = 4096
    patch_size = (96, 64)

    def __init__(
        self,
        width: float = 1.0,
        out_channels: int = 128,
        frozen: bool = True,
        init_cfg: dict | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_init_cfg('VGGish', init_cfg)
        if width <= 0:
            raise ValueError(f'width must be positive, got {width}')
        if cache_dir is not None and not (frozen and os.fspath(cache_dir)):
            raise ValueError(
                'cache_dir must be the folder of a frozen network or None: '
                f'got {cache_dir!r} with frozen={frozen}'
            )
        layers: list[nn.Module] = []
        channels = 1
        for base_channels, num_convs in self.stages:
            stage_channels = max(1, round(base_channels * width))
            for _ in range(num_convs):
                layers += [
                    nn.Conv2d(channels, stage_channels, 3, padding=1),
                    nn.ReLU(inplace=True),
                ]
                channels = stage_channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        stride = 2 ** len(self.stages)
        flat = channels
        for side in self.patch_size:
            flat *= side // stride
        hidden = max(1, round(self.hidden_channels * width))
        self.embeddings = nn.Sequential(
            nn.Linear(flat, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, out_channels),
            nn.ReLU(inplace=True),
        )
        self.out_channels = out_channels
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                # No norm layers: without it the signal fades on the way, and
                # a training from scratch may not take off.
                nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
                nn.init.zeros_(module.bias)
        self.frozen = frozen
        self.embedding_cache = (
            None if cache_dir is None else EmbeddingCache(cache_dir)
        )
        # False while a network that is to be pretrained is still random.
        self._has_weights = init_cfg is None
        if frozen:
            self.requires_grad_(False)

    def init_weights(self) -> None:
        """Load the weights of ``init_cfg``, if there is one."""
        if self.init_cfg and not self._is_init:
            try:
                load_whole(
                    self,
                    self.init_cfg['checkpoint'],
                    'It should be the public VGGish weights for width=1, or '
                    'a file of tools/pretrain_audio.py for the same width.',
                )
            except FileNotFoundError as error:
                raise FileNotFoundError(
                    f'{error} The tiny configs take the file that '
                    'tools/pretrain_audio.py '
                    'configs/vggish_tiny_synthetic.py writes.'
                ) from error
            self._has_weights = True
        self._is_init = True

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        """Take note of whether a checkpoint holds the whole network."""
        super()._load_from_state_dict(state_dict, prefix, *args)
        own = {f'{prefix}{k}': v.shape for k, v in self.state_dict().items()}
        if all(
            key in state_dict and state_dict[key].shape == shape
            for key, shape in own.items()
        ):
            self._has_weights = True

    def train(self, mode: bool = True) -> VGGish:
        """Set the training mode; a frozen network stays in evaluation."""
        return super().train(mode and not self.frozen)

    def cast_embeddings(self, dtype: torch.dtype) -> None:
        """Keep the fully connected layers in another type, for prediction.

        They hold 94 % of the weights of the published network and are read
        once for every few patches: half the bytes take half the memory and,
        on a CPU, a quarter of the time. A checkpoint saved afterwards has
        that type too.

        Raises:
            ValueError: if the network is not frozen; training needs float32.
        """
        if not self.frozen:
            raise ValueError(
                f'only the layers of a frozen VGGish can be kept in {dtype}'
            )
        self.embeddings.to(dtype)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Embed log-mel patches.

        Shapes:
            - log_mel: (N, 1, 96, 64), time by mel band.
            - returns: (N, out_channels), not negative.

        Raises:
            ValueError: if the patches have another shape.
            RuntimeError: if ``init_cfg`` names weights and nothing loaded
                any, as in a test of a checkpoint without the audio network.
        """
        self._check(log_mel)
        with torch.set_grad_enabled(
            torch.is_grad_enabled() and not self.frozen
        ):
            x = self.features(log_mel)
            # (N, C, h, w) -> (N, h, w, C): the published weights expect
            # channels last when flattened.
            x = x.permute(0, 2, 3, 1).flatten(1)
            if not self.frozen:
                return self.embeddings(x)
            # Autocast keeps no copy of frozen weights: for a few patches,
            # casting 67 million takes longer than the multiplication.
            with torch.autocast(x.device.type, enabled=False):
                return self.embeddings(x.to(self.embeddings[0].weight.dtype))

    # Files are nothing to compile; the graph has a gap here.
    @torch.compiler.disable
    def embed_clips(
        self, log_mel: Tensor, audio_keys: Sequence[str | None]
    ) -> Tensor:
        """Embed clips of one length, the known ones without computing.

        Differs from ``forward`` by rounding only: clips are computed one by
        one. Without a cache, or where no clip has a key, it is ``forward``.

        Args:
            log_mel: patches of B clips, clip after clip.
            audio_keys: B digests of the patches of a clip (``PackAVSInputs``
                makes them); None for a clip that is not worth keeping.

        Shapes:
            - log_mel: (B * T, 1, 96, 64)
            - returns: (B * T, out_channels)

        Raises:
            ValueError, RuntimeError: as ``forward``; or if the number of
                patches is no multiple of the number of keys.
        """
        if self.embedding_cache is None or not any(audio_keys):
            return self(log_mel)
        self._check(log_mel)
        if len(log_mel) % len(audio_keys):
            raise ValueError(
                f'{len(audio_keys)} audio_keys need as many clips of one '
                f'length, got {len(log_mel)} patches'
            )
        return self.embedding_cache.embed(self, log_mel, audio_keys)

    def _check(self, log_mel: Tensor) -> None:
        """Raise the errors of ``forward``."""
        if not self._has_weights:
            raise RuntimeError(
                'the audio network is random: init_cfg names '
                f'{self.init_cfg["checkpoint"]}, but neither was it loaded '
                '(init_weights, which training calls) nor did a checkpoint '
                'hold audio_backbone.*. A converted checkpoint gets them '
                'with tools/model_converters/ecmvae_to_mmavs.py --vggish'
            )
        if log_mel.dim() != 4 or log_mel.shape[1:] != (1, *self.patch_size):
            raise ValueError(
                f'log_mel must be (N, 1, 96, 64), got {tuple(log_mel.shape)}'
            )


def cast_audio_networks(model: nn.Module, dtype: torch.dtype) -> None:
    """Call :meth:`VGGish.cast_embeddings` of all frozen ones in a model."""
    for module in model.modules():
        if isinstance(module, VGGish) and module.frozen:
            module.cast_embeddings(dtype)
