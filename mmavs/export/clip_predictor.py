"""What leaves Python: clips in, probabilities out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmavs.functional.predictive import at_least_float32
from mmavs.models.data_preprocessor import LOG_MEL_SHAPE
from mmavs.models.segmentors import AVEncoderDecoder
from mmavs.structures import ClipBatch


class ClipPredictor(nn.Module):
    """The prior path of a segmentor, with what prepares its frames.

    Frames enter as a decoder gives them, bytes in the order red, green, blue:
    colour order, mean and standard deviation of the config are inside, and
    nobody can get them wrong. The codes are their means, so the same clip
    always gives the same numbers; ``test_cfg.num_samples`` is not read.

    Args:
        model: the segmentor. It is put into evaluation mode and loses its
            gradients.

    Shapes:
        - frames: (B, T, 3, H, W) uint8, RGB.
        - log_mel: (B, T, 1, 96, 64) float32, see ``vggish_log_mel``.
        - returns: probabilities and logits, (B, T, C, H, W) float32 each;
          C = 1 is the probability of the foreground, by a sigmoid, else the
          probabilities of the classes, by a softmax.

    Raises:
        ValueError: if the data preprocessor pads frames at test, or an input
            has another shape or type.
    """

    input_names = ('frames', 'log_mel')
    output_names = ('probabilities', 'logits')
    mean: Tensor
    std: Tensor

    def __init__(self, model: AVEncoderDecoder) -> None:
        super().__init__()
        preprocessor = model.data_preprocessor
        if preprocessor.test_cfg:
            raise ValueError(
                'an exported model takes frames at the size of the network, '
                'but model.data_preprocessor.test_cfg='
                f'{dict(preprocessor.test_cfg)} pads them at test: resize '
                'them in the test pipeline instead'
            )
        self.model = model
        # Frames of a pipeline are as OpenCV reads them.
        self.reverses_colours = not preprocessor.channel_conversion
        mean, std = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
        if preprocessor._enable_normalize:
            mean, std = preprocessor.mean, preprocessor.std
        self.register_buffer('mean', mean.clone())
        self.register_buffer('std', std.clone())
        self.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.mean.device

    def forward(
        self, frames: Tensor, log_mel: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Predict B clips of T frames."""
        self._check(frames, log_mel)
        size = frames.shape[:2]
        images = frames.flatten(0, 1).float()
        if self.reverses_colours:
            images = images.flip(1)
        batch = ClipBatch(
            frames=(images - self.mean) / self.std,
            # By the sizes of the frames, so that an export knows them equal.
            log_mel=log_mel.reshape(images.shape[0], *LOG_MEL_SHAPE),
            num_frames=size[1],
        )
        logits = at_least_float32(self.model(batch, mode='tensor'))
        logits = logits.unflatten(0, size)
        if logits.shape[2] == 1:
            return logits.sigmoid(), logits
        return logits.softmax(2), logits

    @staticmethod
    def _check(frames: Tensor, log_mel: Tensor) -> None:
        if frames.dtype != torch.uint8:
            raise ValueError(
                'frames must be uint8, 0 to 255 and not normalised, got '
                f'{frames.dtype}'
            )
        if frames.dim() != 5 or frames.shape[2] != 3:
            raise ValueError(
                f'frames must be (B, T, 3, H, W), got {tuple(frames.shape)}'
            )
        expected = (*frames.shape[:2], *LOG_MEL_SHAPE)
        if tuple(log_mel.shape) != expected:
            raise ValueError(
                f'log_mel must be {expected}, a patch for each frame, got '
                f'{tuple(log_mel.shape)}'
            )
