"""torch.compile takes each model as one graph, with the same numbers.

The eager backend compiles nothing, so no compiler is needed: what is tested
is that there is no gap in the graph.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from small_model import make_batch, make_masks, make_samples

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
QUICK = (
    'mmvae_tiny_s4',
    'mmvae_pvt_s4',
    'ablations/mmvae_tiny_s4_tpavi',
    'ablations/mmvae_tiny_s4_moe',
)
OTHERS = sorted(
    str(path.relative_to(CONFIGS).with_suffix(''))
    for pattern in ('mmvae_*.py', 'ablations/mmvae_tiny_*.py')
    for path in CONFIGS.glob(pattern)
    if str(path.relative_to(CONFIGS).with_suffix('')) not in QUICK
)
# In mmseg's cross-entropy a count of pixels becomes a Python number.
UPSTREAM_GAP = ('avss',)


@pytest.fixture(autouse=True)
def _forget_graphs():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def build(name: str) -> torch.nn.Module:
    settings = Config.fromfile(CONFIGS / f'{name}.py').model
    settings.backbone.init_cfg = None
    if settings.backbone.type == 'PVTv2':
        settings.backbone.depths = (1, 1, 1, 1)
    settings.audio_backbone.init_cfg = None
    settings.audio_backbone.width = 0.05
    torch.manual_seed(0)
    return MODELS.build(settings)


def compiled(function):
    return torch.compile(function, backend='eager', fullgraph=True)


def check_prediction(model) -> None:
    model.eval()
    batch = make_batch()
    with torch.no_grad():
        value = compiled(model.predict_clips)(batch)
        expected = model.predict_clips(batch)
    torch.testing.assert_close(value.logits, expected.logits)


def check_training(model) -> None:
    model.train()
    batch = make_batch()
    samples = make_samples(make_masks(batch, labelled=[0, 3]))
    labels = model._read_labels(samples)
    losses = []
    state = {k: v.clone() for k, v in model.state_dict().items()}
    for step in (compiled(model.loss_of_labels), model.loss_of_labels):
        model.load_state_dict(state)
        torch.manual_seed(0)
        losses.append(step(batch, labels))
    assert losses[0].keys() == losses[1].keys()
    for name, expected in losses[1].items():
        torch.testing.assert_close(losses[0][name], expected)


@pytest.mark.parametrize('name', QUICK)
def test_one_graph(name):
    model = build(name)
    check_prediction(model)
    check_training(model)


@pytest.mark.slow
@pytest.mark.parametrize('name', OTHERS)
def test_one_graph_of_every_config(name):
    model = build(name)
    check_prediction(model)
    if not any(part in name for part in UPSTREAM_GAP):
        check_training(model)
