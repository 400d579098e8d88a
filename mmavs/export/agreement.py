"""Whether an exported model computes what the model in Python does."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from mmavs.export.clip_predictor import ClipPredictor
from mmavs.export.errors import ExportError
from mmavs.models.data_preprocessor import LOG_MEL_SHAPE

TOLERANCE = 1e-3


@torch.no_grad()
def check_agreement(
    predictor: ClipPredictor,
    exported: Callable[..., tuple[Tensor, ...]],
    size: tuple[int, int],
    shapes: Iterable[tuple[int, int]],
    seed: int = 0,
) -> dict[tuple[int, int], float]:
    """Compare an exported model with its origin on random input.

    Args:
        predictor: the origin.
        exported: a function of frames and log-mels, as ``load_onnx`` and
            ``load_program`` give it.
        size: (H, W) of the frames.
        shapes: B and T of each comparison.
        seed: of the input.

    Returns:
        For each of ``shapes`` the largest difference of a probability or a
        logit.

    Raises:
        ExportError: if it is more than 1e-3, or not a number, or what was
            exported does not take the clips.
    """
    generator = torch.Generator().manual_seed(seed)
    largest = {}
    for shape in shapes:
        # Within the range of a log-mel: log(0.01) in silence.
        inputs = (
            torch.randint(
                0,
                256,
                (*shape, 3, *size),
                dtype=torch.uint8,
                generator=generator,
            ),
            torch.randn(*shape, *LOG_MEL_SHAPE, generator=generator) * 2 - 1,
        )
        inputs = tuple(x.to(predictor.device) for x in inputs)
        clips = f'{shape[0]} clips of {shape[1]} frames'
        try:
            outputs = exported(*inputs)
        except Exception as error:  # each runtime has its own
            raise ExportError(
                f'what was exported cannot predict {clips}: {error}; a part '
                'of the model may need fixed numbers of clips and frames'
            ) from error
        largest[shape] = 0.0
        for name, ours, theirs in zip(
            predictor.output_names, predictor(*inputs), outputs, strict=True
        ):
            difference = (ours.cpu() - theirs.cpu()).abs().max().item()
            # Also false where it is not a number.
            if not difference <= TOLERANCE:
                raise ExportError(
                    f'the {name} of {clips} differ by {difference:.3g} from '
                    f'those of the model, more than {TOLERANCE}'
                )
            largest[shape] = max(largest[shape], difference)
    return largest
