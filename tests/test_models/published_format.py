"""The published checkpoint format, its golden weights and their new names.

Golden numbers were computed with weights that depend on the name and the
shape of each tensor alone, so that a list of names is all that is stored.
"""

import gzip
import json
import re
import zlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

DATA = Path(__file__).resolve().parent.parent / 'data'


def read_shapes(name):
    """Mapping of key to shape from a gzipped list in ``tests/data``."""
    return json.loads(gzip.decompress((DATA / name).read_bytes()))


def make_weights(shapes):
    """Golden weights of a mapping of key to shape.

    Each tensor is drawn from NumPy's legacy generator, whose seed is the
    CRC-32 of the key, and scaled by its role.
    """
    return {key: _make_tensor(key, tuple(s)) for key, s in shapes.items()}


def _make_tensor(key, shape):
    if key.endswith('num_batches_tracked'):
        return torch.zeros(shape, dtype=torch.int64)
    seed = zlib.crc32(key.encode()) & 0x7FFFFFFF
    noise = np.random.RandomState(seed).standard_normal(shape)
    noise = torch.from_numpy(np.asarray(noise, dtype=np.float32))
    if key.endswith('running_var'):
        return 1 + 0.1 * noise.abs()
    if key.endswith('running_mean'):
        return 0.1 * noise
    if len(shape) > 1:
        fan_in = int(np.prod(shape[1:]))
        return noise / np.sqrt(fan_in).astype(np.float32)
    if key.endswith('weight'):
        return 1 + 0.1 * noise
    return 0.05 * noise


def make_clip(num_frames=5, seed=0, size=224):
    """Golden inputs of one clip.

    Returns:
        frames (T, 3, size, size), audio embedding (T, 128) and masks (T,
        size, size) of 0 and 1.
    """
    rng = np.random.RandomState(seed)

    def normal(*shape):
        noise = rng.standard_normal(shape).astype(np.float32)
        return torch.from_numpy(noise)

    frames = normal(num_frames, 3, size, size)
    audio = normal(num_frames, 128).abs()
    coarse = rng.rand(num_frames, 1, size // 32, size // 32) > 0.5
    masks = F.interpolate(torch.from_numpy(coarse).float(), scale_factor=32)
    return frames, audio, masks[:, 0].long()


# Published spellings -> ours.
_PATH = dict(prior='prior', post='posterior')
_CODES = dict(vs='visual_specific', **{'as': 'audio_specific'}, vac='shared')
_LAYERS = dict(conv='conv', norm='bn', layer='conv', bn='bn')
_TPAVI = {
    'g': 'g',
    'theta': 'theta',
    'phi': 'phi',
    'norm_layer': 'norm',
    'W_z.0': 'out',
    'W_z.1': 'out_norm',
}


def _mapping(m):
    path, level, conv, layer, rest = m.groups()
    name = f'{_PATH[path]}_mapping.{level}.{conv}.{_LAYERS[layer]}.{rest}'
    return f'neck.{name}'


def _decoder_unit(m):
    path, block, unit, conv, layer, rest = m.groups()
    # Blocks count from the deepest level, ours from the finest.
    level = 4 - int(block)
    if level == 3 and unit == '1':
        return None  # in the format, but nothing enters it
    kind = dict(zip('12', ('lateral', 'merge')))[unit]
    return (
        f'decode_head.{_PATH[path]}_decoder.{kind}.{level}.'
        f'convs.{int(conv) - 1}.{_LAYERS[layer]}.{rest}'
    )


def _decoder_head(m):
    path, layer, rest = m.groups()
    layer = {'0': 'reduce', '2': 'head.0', '4': 'head.2'}[layer]
    return f'decode_head.{_PATH[path]}_decoder.{layer}.{rest}'


def _fusion(m):
    level, layer, rest = m.groups()
    return f'decode_head.fusion.{level}.{_TPAVI[layer]}.{rest}'


def _encoder(m):
    code, posterior, rest = m.groups()
    path = 'posterior' if posterior else 'prior'
    rest = re.sub(
        r'^(layer|bn)(\d)\.',
        lambda n: f'stack.{int(n[2]) - 1}.{_LAYERS[n[1]]}.',
        rest,
    )
    rest = rest.replace('fc_gt_vector.', 'image.')
    rest = rest.replace('fc1.', 'head.mean.').replace('fc2.', 'head.log_var.')
    return f'neck.latents.{path}.{_CODES[code]}.{rest}'


def _code_fusion(m):
    side, path, rest = m.groups()
    side = {'1': 'visual', '2': 'audio'}[side]
    return f'neck.latents.{_PATH[path]}_fusion.{side}.{rest}'


def _injection(m):
    return f'neck.{_PATH[m[1]]}_injection.{m[2]}'


def _mutual_information(m):
    head, path, rest = m.groups()
    head = dict(mu='mean', logvar='log_var', sc_a='target')[head]
    return f'decode_head.loss_mutual_information.{_PATH[path]}.{head}.{rest}'


# Some names spell the posterior out.
_P = '(prior|post)(?:erior)?'
_VAE = r'mm_vae_model\.'
# Tried in this order on the whole key.
_RULES = [
    (
        rf'neck_{_P}\.conv_list\.(\d)\.reduce\.(\d)\.(conv|norm)\.(.*)',
        _mapping,
    ),
    (
        rf'decoder_{_P}\.fusion_block_(\d)\.resConfUnit(\d)\.'
        r'ConvBNReLU(\d)\.(conv|norm)\.(.*)',
        _decoder_unit,
    ),
    (rf'decoder_{_P}\.head_up_2\.output_conv\.(\d)\.(.*)', _decoder_head),
    (r'fusion_modules\.(\d)\.(.*)\.(\w+)', _fusion),
    (_VAE + r'enc_(vs|as|vac)(_y)?\.(.*)', _encoder),
    (_VAE + rf'sc(\d)_{_P}\.(.*)', _code_fusion),
    (_VAE + rf'noise_model_{_P}\.noise_conv\.(.*)', _injection),
    (
        _VAE + rf'ba_lower_bound_(mu|logvar|sc_a)_{_P}\.(.*)',
        _mutual_information,
    ),
    (r'audio_neck\.(.*)', lambda m: None),
]


def convert(state):
    """Split a published state dict for the parts of our model.

    Returns:
        The backbone's part in the original PVT naming, and the rest under
        our names, prefixed ``neck.`` and ``decode_head.``.

    Raises:
        KeyError: for a key that no rule covers.
    """
    backbone, rest = {}, {}
    for key, value in state.items():
        if key.startswith('encoder.'):
            backbone[key.removeprefix('encoder.')] = value
            continue
        name = rename(key)
        if name is None:
            continue
        if name.startswith('decode_head.fusion') and value.dim() > 2:
            value = value.flatten(1)  # 1x1 convolution -> linear
        rest[name] = value
    return backbone, rest


def rename(key):
    """Our name of a published key; None for one that nothing uses."""
    for pattern, rule in _RULES:
        match = re.fullmatch(pattern, key)
        if match:
            return rule(match)
    raise KeyError(key)
