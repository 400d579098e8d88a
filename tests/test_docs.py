"""What the documentation names exists, and its configs train."""

from __future__ import annotations

import inspect
import re
import sys
from argparse import ArgumentParser
from pathlib import Path

import mmpretrain.models  # noqa: F401 (the pages name backbones of it)
import pytest
import torch
from mmengine.config import Config, DictAction
from mmengine.registry import Registry
from mmengine.structures import PixelData
from mmseg import registry
from mmseg.registry import HOOKS, METRICS, MODELS
from mmseg.structures import SegDataSample

import mmavs.export  # noqa: F401 (the pages name what is in it)
from mmavs.structures import ClipBatch

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
METHOD = (ROOT / 'docs/method.md').read_text()
BLOCKS = re.findall('^```python\n(.*?)^```', METHOD, re.DOTALL | re.M)
EXAMPLES = [block for block in BLOCKS if block.startswith('_base_')]
REGISTRIES = [x for x in vars(registry).values() if isinstance(x, Registry)]
# Whose names the pages use.
PACKAGES = {
    'mmavs',
    'mmcv',
    'mmengine',
    'mmpretrain',
    'mmseg',
    'timm',
    'torch',
}
# In small letters: NAME stands for something in capitals.
PATH = re.compile(
    '(configs|docs|mmavs|requirements|tests|tools)/[a-z0-9_./-]+'
)
CONFIG = re.compile(r'(mmvae_[a-z0-9_-]+)(\.py)?')
# Two capitals and a small letter, as in AVSMetric; not Adam, not TORCH_HOME.
CLASS = re.compile(r'(?=\w*[A-Z]\w*[A-Z])(?=\w*[a-z])([A-Z][A-Za-z0-9]{3,})')
MEMBER = re.compile(CLASS.pattern + r'\.[a-z]\w+')
FUNCTION = re.compile(r'([a-z]\w+)\(\)')
each_page = pytest.mark.parametrize(
    'page', PAGES, ids=[page.stem for page in PAGES]
)


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub('^```.*?^```', '', page.read_text(), flags=re.DOTALL | re.M)


def section(title: str) -> str:
    """A section of docs/method.md."""
    return METHOD.split(f'\n## {title}\n')[1].split('\n## ')[0]


def is_defined(name: str) -> bool:
    """Whether a registry or a module that is loaded has the name."""
    return any(name in table for table in REGISTRIES) or any(
        name in vars(module)
        for path, module in list(sys.modules.items())
        if path.split('.')[0] in PACKAGES
    )


def is_wrong(span: str) -> bool:
    """Whether a code span names a thing that is not there.

    Whatever does not look like a file, config, class or function is right.
    """
    if PATH.fullmatch(span):
        return not (ROOT / span).exists()
    if match := CONFIG.fullmatch(span):
        return not any((ROOT / 'configs').rglob(f'{match[1]}.py'))
    for pattern in (CLASS, MEMBER, FUNCTION):
        if match := pattern.fullmatch(span):
            return not is_defined(match[1])
    return False


def wrong_names(text: str) -> list[str]:
    return [span for span in re.findall('`([^`\n]+)`', text) if is_wrong(span)]


@each_page
def test_names(page):
    assert not wrong_names(prose(page))


def test_a_name_of_nothing_is_found():
    missing = [
        'configs/mmvae_pvt_s5.py',
        'mmvae_pvt_s5',
        'GaussianKLLos',
        'LatentPaths.draws',
        'gaussian_kll()',
    ]
    assert wrong_names(', '.join(f'`{name}`' for name in missing)) == missing


@each_page
def test_links(page):
    for target, title in re.findall(
        r'\]\(([^)#\s]*)#?([^)\s]*)\)', prose(page)
    ):
        if target.startswith(('http://', 'https://')):
            continue
        path = page.parent / target if target else page
        assert path.exists(), target
        if title:
            titles = re.findall('^#+ (.*)$', path.read_text(), re.M)
            assert title in [t.lower().replace(' ', '-') for t in titles]


def test_every_variant_is_in_the_table():
    prefix = 'mmvae_pvt_s4_'
    folder = ROOT / 'configs/ablations'
    rows = re.findall('^\\| `([a-z-]+)` \\|', section('Variants'), re.M)
    assert sorted(rows) == sorted(
        path.stem.removeprefix(prefix) for path in folder.glob(f'{prefix}*')
    )


def make_batch() -> ClipBatch:
    """Two clips of two frames."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(4, 3, 64, 64, generator=generator)
    return ClipBatch(frames, torch.randn(4, 1, 96, 64, generator=generator), 2)


def train_step(config: Config) -> tuple[torch.nn.Module, dict]:
    """The model, small and of random weights, and losses of two clips."""
    settings = config.model
    settings.backbone.init_cfg = None
    settings.audio_backbone.init_cfg = None
    settings.audio_backbone.width = 0.05
    torch.manual_seed(0)
    model = MODELS.build(settings).train()
    masks = torch.full((4, 64, 64), 255)
    masks[::2] = (torch.rand(2, 64, 64) > 0.5).long()  # of the first frames
    samples = [SegDataSample() for _ in masks]
    for sample, mask in zip(samples, masks):
        sample.gt_sem_seg = PixelData(data=mask[None])
    losses = model.loss(make_batch(), samples)
    assert all(value.isfinite() for value in losses.values())
    return model, losses


def test_the_objective_has_every_name_in_the_log():
    _, losses = train_step(Config.fromfile(ROOT / 'configs/mmvae_tiny_s4.py'))
    rows = re.findall(
        '^\\| \\$.*`(loss_[a-z_]+)`', section('The objective'), re.M
    )
    names = [f'decode.{name}' for name in rows]
    assert sorted(names) == sorted(name for name in losses if 'loss' in name)


@pytest.mark.parametrize('example', EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples(example, tmp_path, monkeypatch):
    """Each trains a step and predicts, on the base of the tiny configs."""
    for block in BLOCKS:
        if name := re.match(r'# (\w+\.py)\n', block):
            (tmp_path / name[1]).write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / 'example.py'
    path.write_text(
        example.replace("'./", f"'{ROOT}/configs/").replace('_pvt_', '_tiny_')
    )
    config = Config.fromfile(path)
    base = Config.fromfile(re.search("_base_ = '(.*)'", path.read_text())[1])
    assert config.to_dict() != base.to_dict()
    for hook in config.get('custom_hooks', []):
        HOOKS.build(hook)
    model, losses = train_step(config)
    assert 'decode.loss_structure_prior' in losses
    with torch.no_grad():
        results = model.eval().predict(make_batch())
    assert len(results) == 4
    drawn = config.model.test_cfg.get('num_samples', 0) > 0
    assert all(('uncertainty' in result) == drawn for result in results)


def takes(node: object, key: str) -> bool:
    """Whether a config has the key, or the constructor of its parent."""
    name, _, rest = key.partition('.')
    if isinstance(node, dict) and name in node:
        return not rest or takes(node[name], rest)
    if rest or not isinstance(node, dict) or 'type' not in node:
        return False
    classes = [table.get(node['type']) for table in REGISTRIES]
    return any(
        name in inspect.signature(base.__init__).parameters
        for cls in classes
        if cls is not None
        for base in cls.__mro__
    )


@pytest.fixture(scope='module')
def configs() -> list[dict]:
    """Every tiny config of S4, and the part that holds its model."""
    found = []
    for path in (ROOT / 'configs').rglob('mmvae_tiny_s4*.py'):
        config = Config.fromfile(path)._cfg_dict
        # The segmentor reads it from a dict without a type.
        config.model.test_cfg.setdefault('num_samples', 0)
        found += [config, config.model]
    return found


def wrong_keys(text: str, configs: list[dict]) -> list[str]:
    """Dotted names of options, in code spans, that no config takes."""
    keys = re.findall(r'`([a-z_]+(?:\.[a-z_]+)+)(?:=[^`]*)?`', text)
    return [
        key
        for key in keys
        if not key.endswith('.py')
        and not any(takes(config, key) for config in configs)
    ]


@pytest.mark.parametrize('name', ['method', 'differences'])
def test_option_keys(name, configs):
    assert not wrong_keys(prose(ROOT / f'docs/{name}.md'), configs)


def test_a_key_of_nothing_is_found(configs):
    missing = [
        'neck.latent',
        'decode_head.gamma',
        'decode_head.divergences.shared.weight',
        'test_cfg.samples',
        'test_evaluator.protocols',
    ]
    text = ', '.join(f'`{key}=1`' for key in missing)
    assert wrong_keys(text, configs) == missing


def test_options_of_the_published_behaviour():
    """All that docs/differences.md says to set can be set."""
    text = (ROOT / 'docs/differences.md').read_text()
    options = [
        option if option.startswith('test_evaluator') else f'model.{option}'
        for option in re.findall(r'`([a-z_]+\.[a-z_.]+=[^`]+)`', text)
    ]
    assert len(options) >= 7
    parser = ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    args = parser.parse_args(['--cfg-options', *options])
    config = Config.fromfile(ROOT / 'configs/mmvae_tiny_s4.py')
    config.merge_from_dict(args.cfg_options)
    train_step(config)
    METRICS.build(config.test_evaluator)
