"""The benchmark of tools/infer.py."""

import importlib.util
import json
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'tools' / 'analysis_tools' / 'inference_speed.py'
# In the place of tools/infer.py: holds memory, writes masks, may fail.
STAND_IN = """
import pathlib, sys
name, out = sys.argv[1], sys.argv[sys.argv.index('--out') + 1]
memory = bytearray(b'x') * (100 << 20 if '2min' in name else 50 << 20)
print('at work on', name)
folder = pathlib.Path(out, 'video', 'masks')
folder.mkdir(parents=True)
for number in range(0 if '--fail' in sys.argv else 3):
    (folder / f'{number}.png').touch()
sys.exit('no such thing' if '--fail' in sys.argv else 0)
"""


@pytest.fixture
def tool(monkeypatch):
    spec = importlib.util.spec_from_file_location('inference_speed', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setitem(module.SIZES, '360p', (64, 48))
    return module


@pytest.fixture
def stand_in(tool, tmp_path, monkeypatch):
    """Measure another script in the place of tools/infer.py."""
    path = tmp_path / 'tools' / 'infer.py'
    path.parent.mkdir()
    path.write_text(STAND_IN)
    monkeypatch.setattr(tool, 'ROOT', tmp_path)
    return path


def arguments(tmp_path, *options):
    config = str(ROOT / 'configs' / 'mmvae_tiny_s4.py')
    folder = str(tmp_path / 'work')
    small = ['--size', '360p', '--video-fps', '2', '--work-dir', folder]
    return ['--config', config, *small, *options]


def test_a_run(tool, stand_in, tmp_path, capsys):
    options = ['--minutes', '2', '1', '--fps', '1', '--repeat', '2']
    assert tool.main(arguments(tmp_path, *options)) == 0
    path = tmp_path / 'work' / 'inference_speed.json'
    report = json.loads(path.read_text())
    assert report['versions']['torch'] == torch.__version__
    assert report['machine']['cpu_count'] >= 1
    assert [r['minutes'] for r in report['results']] == [1, 2]
    for result in report['results']:
        assert result['num_frames'] == 3
        assert len(result['runs']) == 2
        walls = [run['wall_s'] for run in result['runs']]
        assert result['wall_s'] == pytest.approx(np.median(walls))
        speed = 60 * result['minutes'] / result['wall_s']
        assert result['video_s_per_s'] == pytest.approx(speed)
    short, long = (r['peak_mib'] for r in report['results'])
    assert 50 < short
    assert long - short == pytest.approx(50, abs=5)
    (comparison,) = report['comparisons']
    assert comparison['minutes'] == [1, 2]
    assert comparison['memory_ratio'] == long / short
    shown = capsys.readouterr().out
    assert f'{long / short:.3f} times the memory' in shown
    # Random weights of the whole model, in a file that is safe to load.
    weights = tmp_path / 'work' / 'random_weights.pth'
    state = torch.load(weights, weights_only=True)['state_dict']
    assert {name.split('.')[0] for name in state} == {
        *('audio_backbone', 'backbone', 'decode_head', 'neck')
    }
    # Nothing is left of what was written, and the videos are kept.
    names = {path.name for path in (tmp_path / 'work').iterdir()}
    assert names == {
        *('infer.log', 'inference_speed.json', 'random_weights.pth'),
        'videos',
    }


def test_videos_are_made_once(tool, tmp_path, capsys):
    args = tool.parse_args(arguments(tmp_path))
    path = tool.prepare_video(args, 1)
    before = path.stat().st_mtime_ns
    assert tool.prepare_video(args, 1) == path
    assert path.stat().st_mtime_ns == before
    assert capsys.readouterr().out.count('making') == 1
    with av.open(str(path)) as container:
        video, audio = container.streams
        assert (video.codec.name, audio.codec.name) == ('h264', 'aac')
        assert (video.width, video.height, video.frames) == (64, 48, 120)
        assert container.duration / 1e6 == pytest.approx(60, abs=0.1)
        images = [f.to_ndarray(format='rgb24') for f in container.decode(0)]
    # It moves all the time.
    steps = [
        np.abs(a.astype(int) - b).mean() for a, b in zip(images, images[1:])
    ]
    assert min(steps) > 1


def test_failure(tool, stand_in, tmp_path, capsys):
    options = ['--minutes', '1', '--fps', '1', '--infer-options', '--fail']
    assert tool.main(arguments(tmp_path, *options)) == 1
    shown = capsys.readouterr().out
    assert 'exited with 1 and wrote 0 masks' in shown
    assert shown.splitlines()[-1] == 'no such thing'
    assert not (tmp_path / 'work' / 'inference_speed.json').exists()


def test_comparison_leaves_out_the_start(tool):
    def result(minutes, wall_s, peak_mib, fps='1'):
        return dict(
            minutes=minutes,
            wall_s=wall_s,
            cpu_s=wall_s / 2,
            peak_mib=peak_mib,
            fps=fps,
        )

    results = [
        result(10, 100, 550),
        result(3, 50, 900),
        result(1, 10, 500),
        result(1, 5, 900, 'native'),
    ]
    comparison = tool.compare_lengths(results, '1')
    assert comparison['minutes'] == [1, 10]
    assert comparison['memory_ratio'] == pytest.approx(1.1)
    # Nine minutes more in 90 seconds more.
    assert comparison['video_s_per_s'] == pytest.approx(6)
    assert comparison['video_s_per_cpu_s'] == pytest.approx(12)
    text = tool.describe_comparison(comparison)
    assert '1.100 times' in text
    assert text.endswith(
        '6.00 s of video a second, 12.00 a second of computing'
    )
    assert tool.compare_lengths(results, 'native') is None


def test_what_a_command_takes(tool, tmp_path):
    log = tmp_path / 'log'

    def measure(num_bytes):
        script = f'import sys; x = bytearray({num_bytes}); sys.exit("a word")'
        return tool.measure_command([sys.executable, '-c', script], log)

    # It counts what is touched, not this process.
    size = 60 << 20
    held = bytearray(b'x') * (2 * size)
    usage, larger = measure(0), measure(f'b"x") * ({size}')
    assert larger.peak_mib - usage.peak_mib == pytest.approx(60, abs=3)
    assert usage.peak_mib < len(held) >> 20
    for one in (usage, larger):
        assert one.status == 1
        assert 0 < one.cpu_s
        assert 0 < one.wall_s
    assert log.read_text() == 'a word\n'
    with pytest.raises(OSError, match='no-such-program cannot be started'):
        tool.measure_command(['no-such-program'], log)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_video(tool, tmp_path, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    small = 'test_dataloader.dataset.pipeline.0.transforms.1.scale=(64,64)'
    args = tool.parse_args(
        [
            *('--work-dir', str(tmp_path)),
            *('--infer-options', '--batch-size', '4', '--cfg-options', small),
        ]
    )
    checkpoint = tmp_path / 'random_weights.pth'
    tool.save_random_weights(args.config, checkpoint)
    peaks_mib = []
    for seconds in (20, 200):
        video = tmp_path / f'{seconds} s.mp4'
        tool.write_moving_video(video, seconds, (320, 180), 10)
        taken = tool.measure(args, checkpoint, video, 'native')
        assert taken['num_frames'] == 10 * seconds
        peaks_mib.append(taken['peak_mib'])
    short_mib, long_mib = peaks_mib
    assert long_mib < 1.15 * short_mib


def test_wrong_options_are_refused(tool, capsys):
    with pytest.raises(SystemExit):
        tool.main(['--minutes', '0'])
    assert 'at least 1, got 0' in capsys.readouterr().err
