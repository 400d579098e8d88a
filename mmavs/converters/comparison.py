"""Our model against golden numbers of the published network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mmavs.converters.ecmvae import PublishedLayout, convert, recognise
from mmavs.converters.model_of_config import build_on_meta, shapes_of
from mmavs.converters.reference import make_clip, make_weights, read_shapes
from mmavs.evaluation.functional.binary_iou import binary_iou
from mmavs.functional.log_mel import vggish_log_mel
from mmavs.models.backbones import VGGish
from mmavs.structures import FrameLabels

# In the golden files -> where our head has the term, and its sign there: a
# bound is to be maximised.
_TERMS = {
    'mutual_information_bound': ('loss_mutual_information', -1),
    'orthogonality': ('loss_orthogonality', 1),
    'av_matching_kl': ('loss_matching', 1),
}
Folder = str | os.PathLike[str]


def golden_models(folder: Folder) -> list[str]:
    """Names of the models in a folder: NAME.npz beside NAME_keys.json(.gz)."""
    return sorted(
        path.stem
        for path in Path(folder).glob('*.npz')
        if _keys_file(folder, path.stem) and path.stem != 'vggish_16k_mono'
    )


def compare_model(
    folder: Folder, name: str, checkout: Folder
) -> tuple[PublishedLayout, dict[str, float]]:
    """Largest difference of each golden number of a model from ours.

    The reference weights are made under their published names and go through
    the converter.

    Args:
        folder: with NAME.npz, NAME_keys.json or NAME_keys.json.gz and, if
            there is one, NAME_intermediate.npz.
        name: of the model.
        checkout: folder of ``configs/``.

    Returns:
        What the model was recognised as, and name of the number to the
        largest absolute difference.
    """
    shapes = read_shapes(_keys_file(folder, name))
    layout, model = build_converted(make_weights(shapes), checkout)
    golden = dict(np.load(Path(folder) / f'{name}.npz'))
    intermediate = Path(folder) / f'{name}_intermediate.npz'
    if intermediate.is_file():
        golden |= dict(np.load(intermediate))
    return layout, differences(golden, measure(model, *make_clip()))


def build_converted(
    state: Mapping[str, Tensor], checkout: Folder
) -> tuple[PublishedLayout, nn.Module]:
    """Our model with published weights, all but the audio backbone.

    Args:
        state: the weights under their published names.
        checkout: folder of ``configs/``.

    Raises:
        ConversionError: unless the weights fit exactly.
    """
    layout = recognise(state)
    model = build_on_meta(Path(checkout) / layout.config, layout.options)
    converted = convert(state, shapes_of(model)).state_dict
    del model.audio_backbone
    model.load_state_dict(converted, assign=True)
    return layout, model


@torch.no_grad()
def measure(
    model: nn.Module, frames: Tensor, audio: Tensor, masks: Tensor
) -> dict[str, Tensor]:
    """Everything the golden files may hold, of a model in evaluation mode.

    Args:
        model: one of the published layouts; its audio backbone is not used.
        frames: of one clip, normalised.
        audio: embedding of the sound of each frame.
        masks: of every frame.

    Shapes:
        - frames: (T, 3, H, W); audio: (T, 128); masks: (T, H, W).
    """
    neck, head = model.neck, model.decode_head
    labels = FrameLabels(masks, torch.arange(len(frames)))
    levels = model.backbone(frames)
    inputs = (levels, frames, audio, len(frames))
    features = neck(*inputs, labels)
    prior, posterior = features.prior, features.posterior
    # Decoding takes a while: the logits are those that the losses see.
    with _calls(head.prior_decoder) as prior_calls:
        with _calls(head.posterior_decoder) as posterior_calls:
            losses = head.loss(features, None, None)
    ((fused, logits),) = prior_calls
    ((_, posterior_logits),) = posterior_calls
    values = dict(
        logits_test=head(neck(*inputs)),
        logits_prior=logits,
        logits_posterior=posterior_logits,
        injected_prior_level3=prior.draws[0].decodings[0][0],
        miou=binary_iou(logits[:, 0] > 0, masks).mean(),
    )
    mapped = (*prior.levels, neck.prior_mapping[-1](levels[-1]))
    for kind, tensors in (
        ('backbone', levels),
        ('mapped_prior', mapped),
        ('fused_prior', fused),
    ):
        values |= {f'{kind}_level{i}': x for i, x in enumerate(tensors)}
    for path, name in ((prior, 'prior'), (posterior, 'posterior')):
        for code, gaussian in path.distributions.items():
            values[f'{name}_{code}_mean'] = gaussian.mean
            values[f'{name}_{code}_log_var'] = gaussian.log_var
    values |= {f'z_{k}': z for k, z in prior.draws[0].samples.items()}
    structure = head.loss_decode
    first = structure(logits[:1], masks[:1])
    every = losses[f'{structure.loss_name}_prior'] / head.prior_weight
    values['structure_loss_first_frame_prior'] = first / structure.loss_weight
    values['structure_loss_all_frames_prior'] = every / structure.loss_weight
    for name, (attribute, sign) in _TERMS.items():
        term = getattr(head, attribute)
        if term is not None:
            values[name] = sign * losses[term.loss_name] / term.loss_weight
    return values


@contextmanager
def _calls(module: nn.Module) -> Iterator[list[tuple]]:
    """First input and output of every call of a module."""
    calls: list[tuple] = []

    def keep(_, inputs: tuple, output: Tensor) -> None:
        calls.append((inputs[0], output))

    handle = module.register_forward_hook(keep)
    try:
        yield calls
    finally:
        handle.remove()


def differences(
    golden: Mapping[str, np.ndarray], values: Mapping[str, Tensor]
) -> dict[str, float]:
    """Largest absolute difference of each golden number.

    Args:
        golden: logits at every k-th pixel of the frame, levels as
            ``[:, :c, ::k, ::k]``, k = max(1, width // 7), and the rest
            whole.
        values: ours, whole.

    Raises:
        ValueError: if we have no number of that name or shape.
    """
    unknown = sorted(golden.keys() - values.keys())
    if unknown:
        raise ValueError(
            f'there is no number of ours for {", ".join(unknown)}'
        )
    result = {}
    for name, expected in golden.items():
        value = values[name]
        if name.startswith('logits'):
            step = value.shape[-1] // expected.shape[-1]
            value = value[..., ::step, ::step]
        elif '_level' in name:
            step = max(1, value.shape[-1] // 7)
            value = value[:, : expected.shape[1], ::step, ::step]
        result[name] = _largest(value, expected, name)
    return result


def has_vggish(folder: Folder) -> bool:
    """Whether a folder holds golden numbers of the audio network."""
    keys = _keys_file(folder, 'vggish')
    return bool(keys) and (Path(folder) / 'vggish_16k_mono.npz').is_file()


@torch.no_grad()
def compare_vggish(folder: Folder) -> dict[str, float]:
    """As :func:`compare_model`, from 16 kHz samples to the embedding.

    Args:
        folder: with vggish_keys.json(.gz) and vggish_16k_mono.npz, whose
            log-mel may be thinned out in time and frequency.
    """
    golden = np.load(Path(folder) / 'vggish_16k_mono.npz')
    with torch.device('meta'):
        network = VGGish()
    weights = make_weights(read_shapes(_keys_file(folder, 'vggish')))
    network.load_state_dict(weights, assign=True)
    log_mel = vggish_log_mel(golden['pcm'] / 32768.0)
    patches = torch.from_numpy(log_mel).unsqueeze(1)
    expected = golden['log_mel'].reshape(-1, 1, *golden['log_mel'].shape[-2:])
    steps = [96 // expected.shape[-2], 64 // expected.shape[-1]]
    return dict(
        log_mel=_largest(
            patches[..., :: steps[0], :: steps[1]], expected, 'log_mel'
        ),
        embedding=_largest(network(patches), golden['embedding'], 'embedding'),
    )


def _keys_file(folder: Folder, name: str) -> Path | None:
    for suffix in ('.json', '.json.gz'):
        path = Path(folder) / f'{name}_keys{suffix}'
        if path.is_file():
            return path
    return None


def _largest(value: Tensor, expected: np.ndarray, name: str) -> float:
    if tuple(value.shape) != expected.shape:
        raise ValueError(
            f'the golden {name} has shape {expected.shape}, ours '
            f'{tuple(value.shape)}'
        )
    return float(np.abs(value.numpy() - expected).max())
