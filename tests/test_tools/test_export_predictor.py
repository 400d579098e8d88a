"""The exported file from the command line, and a program without mmavs."""

import copy
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmseg.registry import DATASETS
from small_network import small_config

from mmavs.apis import AVSInferencer
from mmavs.export import ClipPredictor, load_onnx, load_program
from mmavs.version import __version__

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'tools/model_converters/export_predictor.py'
EXAMPLE = ROOT / 'docs/examples/onnx_consumer.py'
# Runs a program where importing these is an error.
ALONE = """
import runpy, sys
for name in ('torch', 'mmavs', 'mmengine', 'mmcv', 'mmseg'):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def load_tool():
    spec = importlib.util.spec_from_file_location('export_predictor', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


export = load_tool()


def run(*arguments):
    return export.main([str(argument) for argument in arguments])


@pytest.fixture(scope='module')
def network(synthetic_root, tmp_path_factory):
    """Config and weights: sound matters, and about half is foreground."""
    folder = tmp_path_factory.mktemp('network')
    config = small_config('mmvae_tiny_s4', synthetic_root / 'Single-source')
    config.dump(folder / 'small.py')
    torch.manual_seed(5)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the weights are random
        model = AVSInferencer(config, device='cpu').model
    for fusion in model.decode_head.fusion:
        torch.nn.init.normal_(fusion.out_norm.weight, 1.0, 0.5)
    model.decode_head.prior_decoder.head[-1].bias.data += 0.85
    torch.save(dict(state_dict=model.state_dict()), folder / 'small.pth')
    return folder / 'small.py', folder / 'small.pth'


@pytest.fixture(scope='module')
def exported(network, tmp_path_factory):
    """An ONNX file for any number of clips and frames."""
    path = tmp_path_factory.mktemp('onnx') / 'new' / 'small.onnx'
    assert run(*network, '--out', path) == 0
    return path


@pytest.fixture(scope='module')
def inferencer(network):
    return AVSInferencer(*network, device='cpu')


@pytest.mark.parametrize('shape', [(1, 3), (1, 5), (1, 10), (2, 5), (1, 1)])
def test_onnxruntime_agrees(exported, inferencer, shape):
    generator = torch.Generator().manual_seed(1)
    frames = torch.randint(0, 256, (*shape, 3, 64, 64), generator=generator)
    clips = (
        frames.to(torch.uint8),
        torch.randn(*shape, 1, 96, 64, generator=generator),
    )
    predict, _ = load_onnx(exported)
    for ours, theirs in zip(
        predict(*clips), ClipPredictor(inferencer.model)(*clips)
    ):
        assert theirs.std() > 0.01
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


def test_what_the_file_says(exported):
    import onnx

    model = onnx.load(exported)
    onnx.checker.check_model(model)
    sizes = {
        value.name: [
            size.dim_param or size.dim_value
            for size in value.type.tensor_type.shape.dim
        ]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert sizes == dict(
        frames=['B', 'T', 3, 64, 64],
        log_mel=['B', 'T', 1, 96, 64],
        probabilities=['B', 'T', 1, 64, 64],
        logits=['B', 'T', 1, 64, 64],
    )
    # What only training needs is not in it.
    assert not [x for x in model.graph.initializer if 'posterior' in x.name]
    stored = {item.key: item.value for item in model.metadata_props}
    assert stored['mmavs_version'] == __version__
    assert stored['config'] == 'small'
    values = {
        name: json.loads(value)
        for name, value in stored.items()
        if name not in ('mmavs_version', 'config')
    }
    mean, std = values.pop('mean'), values.pop('std')
    np.testing.assert_allclose(mean, [123.675, 116.28, 103.53], rtol=1e-6)
    np.testing.assert_allclose(std, [58.395, 57.12, 57.375], rtol=1e-6)
    assert values == dict(
        classes=['background', 'sounding'],
        threshold=0.5,
        num_frames=5,
        size=[64, 64],
        sample_rate_hz=16000,
        patch_samples=15600,
        patch_hop_samples=15360,
    )


@pytest.mark.parametrize(
    'name, wrong',
    [
        ('frames', np.zeros((1, 3, 3, 64, 96), np.uint8)),
        ('frames', np.zeros((1, 3, 3, 64, 64), np.float32)),
        ('frames', np.zeros((3, 3, 64, 64), np.uint8)),
        ('log_mel', np.zeros((1, 3, 1, 64, 96), np.float32)),
        ('log_mel', np.zeros((1, 2, 1, 96, 64), np.float32)),
    ],
)
def test_what_the_file_refuses(exported, name, wrong):
    import onnxruntime

    session = onnxruntime.InferenceSession(exported)
    inputs = dict(
        frames=np.zeros((1, 3, 3, 64, 64), np.uint8),
        log_mel=np.zeros((1, 3, 1, 96, 64), np.float32),
    )
    session.run(None, inputs)
    with pytest.raises(Exception, match='(?i)dimension|type|rank|shape'):
        session.run(None, inputs | {name: wrong})


@pytest.mark.parametrize('cut_s', [0, 1.5, 4.5])
def test_the_example_needs_neither_torch_nor_mmavs(
    exported, inferencer, tmp_path, cut_s
):
    """And marks what the inferencer does, in two windows of 5 seconds.

    Also where the sound ends early: the second has 3.5 s, or not a patch.
    """
    import soundfile

    dataset = copy.deepcopy(inferencer.config.test_dataloader.dataset)
    dataset = DATASETS.build(dataset)
    clips = [dataset.get_data_info(i) for i in range(2)]
    frames, out = tmp_path / 'frames', tmp_path / 'out'
    frames.mkdir()
    paths = [path for clip in clips for path in clip['img_paths']]
    for number, path in enumerate(paths, 10):
        shutil.copy(path, frames / f'{number}.png')
    sounds = [soundfile.read(clip['audio_path'], 80000)[0] for clip in clips]
    sound = np.concatenate(sounds)
    assert len(sound) == 160000
    sound = sound[: 160000 - round(cut_s * 16000)]
    soundfile.write(tmp_path / 'sound.wav', sound, 16000)
    arguments = (exported, frames, tmp_path / 'sound.wav', out)
    environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    done = subprocess.run(
        [sys.executable, '-c', ALONE, EXAMPLE, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    shutil.copy(tmp_path / 'sound.wav', frames)
    expected = inferencer(frames)
    assert len(expected.masks) == len(paths) == 10
    assert len({mask.tobytes() for mask in expected.masks}) == 10
    assert 0.02 < expected.masks.mean() < 0.98
    for number in range(10):
        path = out / f'{number + 10}.png'
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert set(np.unique(mask)) == {0, 255}
        differs = (mask > 0) != expected.masks[number].astype(bool)
        # Where rounding decides, nowhere else.
        undecided = abs(expected.probabilities[number] - 0.5) < 1e-4
        assert not (differs & ~undecided).any()


def test_a_file_of_torch(network, inferencer, tmp_path, capsys):
    path = tmp_path / 'small.pt2'
    command = (*network, '--format', 'torch', '--out', path)
    command += ('--num-frames', 4, '--batch-size', 1, '--size', 64, 96)
    assert run(*command) == 0
    output = capsys.readouterr().out
    assert re.search(r'^  1 x 4 frames: \d\.\de[-+]\d\d$', output, re.M)
    assert f'written: {path}' in output
    predict, metadata = load_program(path)
    assert json.loads(metadata['size']) == [64, 96]
    assert json.loads(metadata['num_frames']) == 4
    clips = (
        torch.randint(0, 256, (1, 4, 3, 64, 96)).to(torch.uint8),
        torch.randn(1, 4, 1, 96, 64),
    )
    torch.testing.assert_close(
        predict(*clips), ClipPredictor(inferencer.model)(*clips)
    )

    # Nothing is replaced without being asked to.
    assert run(*command) == 1
    assert f'{path} exists already' in capsys.readouterr().err


def test_what_the_command_refuses(network, tmp_path, capsys, monkeypatch):
    path = tmp_path / 'small.onnx'

    def refused(*options):
        assert run(*network, '--out', path, *options) == 1
        assert list(tmp_path.iterdir()) == []
        error = capsys.readouterr().err
        assert error.endswith('nothing was written\n')
        return error

    def keep(*_, **__):
        raise export.ExportError('they differ')

    monkeypatch.setattr(export, 'missing_packages', lambda: ['onnx'])
    error = refused()
    assert 'needs onnx: pip install ' in error
    assert 'requirements/export.txt' in error
    monkeypatch.undo()
    monkeypatch.setattr(export, 'frame_size', lambda pipeline: None)
    assert '--size H W' in refused()
    monkeypatch.undo()
    monkeypatch.setattr(export, 'export_program', lambda *_: None)
    monkeypatch.setattr(
        export, 'save_onnx', lambda _, path, __: path.write_text('half')
    )
    monkeypatch.setattr(export, 'load_onnx', keep)
    assert 'they differ' in refused()

    config, broken = network[0], tmp_path / 'broken.pth'
    broken.write_text('nothing')
    assert run(config, broken, '--out', path) == 1
    assert f'{broken} is not a checkpoint' in capsys.readouterr().err

    for options, message in (
        (('--num-frames', 0), 'whole number, 1 or more, nor dynamic'),
        (('--format', 'torch'), 'must end in .pt2'),
        (('--size', 64, 3), '32 or more'),
    ):
        with pytest.raises(SystemExit):
            run(*network, '--out', path, *options)
        assert message in capsys.readouterr().err
