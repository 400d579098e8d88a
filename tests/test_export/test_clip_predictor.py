"""Predictors as modules and as programs, on small random networks."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.transforms import Resize
from mmengine.config import Config
from small_network import small_config

from mmavs.export import (
    ClipPredictor,
    ExportError,
    check_agreement,
    complete_file,
    describe_export,
    export_program,
    frame_size,
    load_onnx,
    load_program,
    save_onnx,
    save_program,
)
from mmavs.functional.log_mel import vggish_log_mel
from mmavs.inference.loading import build_model

ROOT = Path(__file__).resolve().parents[2]
NARROW = {'model.audio_backbone.width': 0.05}
# T and B of what cannot leave them free: mmseg's Swin counts its windows.
FIXED = {'backbones/mmvae_swin-t_s4': (3, 1)}


def make_predictor(config: Config) -> ClipPredictor:
    """Random weights, such that sound and statistics make a difference."""
    torch.manual_seed(0)
    model = build_model(config)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return ClipPredictor(model)


def make_clips(batch_size, num_frames, height=64, width=64):
    shape = batch_size, num_frames
    frames = torch.randint(0, 256, (*shape, 3, height, width))
    return frames.to(torch.uint8), torch.randn(*shape, 1, 96, 64)


@pytest.fixture(scope='module')
def predictor():
    return make_predictor(small_config('mmvae_tiny_s4'))


@pytest.fixture(scope='module')
def program(predictor):
    """For any number of clips and frames."""
    return export_program(predictor, (64, 64)).module()


@pytest.mark.parametrize('converts', [True, False])
def test_as_the_data_preprocessor(converts):
    """What a test pipeline gives goes the same way, to the bit."""
    config = small_config('mmvae_tiny_s4')
    config.model.data_preprocessor.bgr_to_rgb = converts
    # The layout in memory changes the rounding.
    config.model.data_preprocessor.channels_last = False
    predictor = make_predictor(config)
    frames, log_mel = make_clips(2, 3)
    bgr = [clip[:, [2, 1, 0]] for clip in frames]
    batch = predictor.model.data_preprocessor(
        dict(inputs=dict(frames=bgr, log_mel=list(log_mel)))
    )
    expected = predictor.model.predict_clips(batch['inputs']).logits
    probabilities, logits = predictor(frames, log_mel)
    assert logits.shape == probabilities.shape == (2, 3, 1, 64, 64)
    torch.testing.assert_close(logits.flatten(0, 1), expected, rtol=0, atol=0)
    torch.testing.assert_close(probabilities, logits.sigmoid())
    other = predictor(frames.flip(2), log_mel)[1]
    assert (other - logits).abs().max() > 0.01


def test_frames_that_are_padded_at_test():
    config = small_config('mmvae_tiny_s4')
    config.model.data_preprocessor.test_cfg = dict(size_divisor=32)
    with pytest.raises(ValueError, match='test_cfg=.*size_divisor.*pads'):
        make_predictor(config)


def test_wrong_inputs(predictor):
    frames, log_mel = make_clips(1, 3)
    with pytest.raises(ValueError, match='uint8, .* got torch.float32'):
        predictor(frames.float(), log_mel)
    with pytest.raises(ValueError, match=r'\(B, T, 3, H, W\), got \(3, 3'):
        predictor(frames[0], log_mel)
    with pytest.raises(ValueError, match=r'\(1, 3, 1, 96, 64\).*\(1, 2, 1'):
        predictor(frames, log_mel[:, :2])


@pytest.mark.parametrize(
    'shape', [(1, 3), (1, 5), (1, 10), (2, 5), (3, 1), (1, 2)], ids=str
)
def test_one_program_for_any_number_of_frames(predictor, program, shape):
    clips = make_clips(*shape)
    for ours, theirs in zip(program(*clips), predictor(*clips)):
        assert theirs.std() > 0.01
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_what_a_program_refuses(program):
    frames, log_mel = make_clips(1, 3)
    for wrong in (
        (frames[..., :32], log_mel),
        (frames, log_mel[:, :2]),
        (frames[:, :1], log_mel[:, :1]),
    ):
        with pytest.raises((AssertionError, RuntimeError)):
            program(*wrong)


def test_fixed_sizes(predictor, tmp_path):
    """Frames that are not square, with a level of another size."""
    size, metadata = (72, 96), dict(config='small')
    program = export_program(predictor, size, num_frames=3, batch_size=1)
    save_program(program, tmp_path / 'a.pt2', metadata)
    save_onnx(program, tmp_path / 'a.onnx', metadata)
    for name, load in (('a.pt2', load_program), ('a.onnx', load_onnx)):
        exported, stored = load(tmp_path / name)
        assert stored == metadata
        differences = check_agreement(predictor, exported, size, [(1, 3)])
        assert 0 <= differences.pop((1, 3)) < 1e-4 and not differences
        for wrong in ((1, 4, *size), (2, 3, *size), (1, 3, 72, 64)):
            with pytest.raises(Exception, match='(?i)size|dimensions|guard'):
                exported(*make_clips(*wrong))


def test_another_model_is_told(predictor, program):
    other = make_predictor(small_config('mmvae_tiny_s4'))
    torch.nn.init.ones_(other.model.decode_head.prior_decoder.head[-1].bias)
    with pytest.raises(ExportError, match='logits|probabilities.*differ by'):
        check_agreement(other, program, (64, 64), [(1, 3)])

    def broken(*clips):
        return [x * torch.nan for x in program(*clips)]

    with pytest.raises(ExportError, match='differ by nan'):
        check_agreement(predictor, broken, (64, 64), [(1, 3)])
    with pytest.raises(ExportError, match='predict 1 clips of 1 frames'):
        check_agreement(predictor, program, (64, 64), [(1, 1)])


def test_a_file_is_complete_or_not_there(tmp_path):
    path = tmp_path / 'new' / 'model.onnx'
    with complete_file(path) as partial:
        partial.write_text('first')
    with pytest.raises(ExportError), complete_file(path) as partial:
        partial.write_text('second')
        raise ExportError
    assert [x.name for x in path.parent.iterdir()] == ['model.onnx']
    assert path.read_text() == 'first'


def test_metadata(predictor):
    metadata = describe_export(
        predictor,
        config_name='small',
        classes=('background', 'sounding'),
        num_frames=5,
        size=(64, 96),
    )
    assert all(isinstance(value, str) for value in metadata.values())
    assert metadata['classes'] == '["background", "sounding"]'
    assert metadata['size'] == '[64, 96]'
    assert metadata['patch_samples'] == '15600'
    assert metadata['patch_hop_samples'] == '15360'


def test_frame_size():
    resize = dict(type='Resize', scale=(96, 64), keep_ratio=False)
    clip = dict(type='ClipTransform', transforms=[resize])
    assert frame_size([clip, dict(type='LoadAudio')]) == (64, 96)
    assert frame_size([dict(resize, keep_ratio=True)]) is None
    assert frame_size([dict(resize, type=Resize)]) == (64, 96)
    assert frame_size([resize, dict(type='Pad', size_divisor=32)]) is None
    assert frame_size([]) is None


def test_the_log_mel_of_the_example():
    """It is that of mmavs, though nothing of mmavs is in it."""
    path = ROOT / 'docs/examples/onnx_consumer.py'
    spec = importlib.util.spec_from_file_location('onnx_consumer', path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    waveform = np.random.default_rng(0).uniform(-1, 1, 80000)
    waveform[20000:40000] = 0
    patches = example.log_mel(waveform)
    assert patches.dtype == np.float32
    np.testing.assert_allclose(
        patches, vggish_log_mel(waveform), rtol=0, atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    'name',
    [
        'backbones/mmvae_pvt-b0_s4',
        'backbones/mmvae_mit-b0_s4',
        'backbones/mmvae_swin-t_s4',
        'backbones/mmvae_convnext-t_s4',
        'backbones/mmvae_timm-efficientnet-b0_s4',
        'mmvae_r50_s4',
        'mmvae_tiny_avss',
        *(
            path.relative_to(ROOT / 'configs').with_suffix('').as_posix()
            for path in (ROOT / 'configs/ablations').glob('mmvae_tiny_s4_*.py')
        ),
    ],
)
def test_every_kind_of_model(name, tmp_path):
    if '_tiny_' in name:
        config = small_config(name)
    else:
        config = Config.fromfile(ROOT / f'configs/{name}.py')
        config.merge_from_dict(NARROW)
    predictor, size = make_predictor(config), (64, 96)
    sizes = FIXED.get(name, ())
    program = export_program(predictor, size, *sizes)
    save_onnx(program, tmp_path / 'a.onnx', {})
    # A single frame only as ONNX, see export_program.
    for exported, shapes in (
        (program.module(), [(1, 3), (2, 2)]),
        (load_onnx(tmp_path / 'a.onnx')[0], [(1, 1), (1, 10), (2, 3)]),
    ):
        shapes = [sizes[::-1]] if sizes else shapes
        differences = check_agreement(predictor, exported, size, shapes)
        assert list(differences) == shapes
        assert max(differences.values()) < 1e-4
