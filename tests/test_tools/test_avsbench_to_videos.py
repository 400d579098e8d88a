"""Clips of a data set as videos: what is written is what is read."""

import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from mmavs.datasets.layout import LAYOUTS, read_clips
from mmavs.datasets.transforms.load_audio import load_waveform
from mmavs.datasets.transforms.load_frame import load_frame
from mmavs.datasets.videos import probe_video, read_clip

ROOT = Path(__file__).resolve().parents[2]
LAYOUT = LAYOUTS['ms3']


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location(
        'avsbench_to_videos',
        ROOT / 'tools/dataset_converters/avsbench_to_videos.py',
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tool, synthetic_root, tmp_path, monkeypatch):
    """Run the tool on the synthetic set; its exit status and the folder."""

    def call(*options, data=synthetic_root):
        out = tmp_path / 'videos'
        arguments = [str(data), str(out), '--subset', 'ms3', *options]
        monkeypatch.setattr(sys, 'argv', ['tool', *arguments])
        with pytest.raises(SystemExit) as end:
            tool.main()
        return end.value.code, out

    return call


@pytest.fixture
def clips(synthetic_root):
    root = synthetic_root / LAYOUT.root
    table = (root / LAYOUT.csv_name).read_bytes()
    return root, read_clips(table, LAYOUT.columns, 'table')


def test_the_video_reads_as_the_clip(run, clips):
    """At the published times the frames, and the sound in step."""
    root, rows = clips
    clip = next(row for row in rows if row['split'] == 'test')
    status, out = run('--split', 'test', '--limit', '1')
    assert status == 0
    (video,) = out.iterdir()
    assert video.name == f'{clip["video_id"]}.mp4'
    read = read_clip(video, 5)
    for k, frame in zip(range(1, 6), read.frames):
        path = root / LAYOUT.path('img_path', clip, k)
        expected = load_frame(str(path))[..., ::-1]
        error = np.abs(frame.image.astype(float) - expected)
        # Half the colours are gone, the picture is not another one.
        assert error.mean() < 6
    own = load_waveform(str(root / LAYOUT.path('audio_path', clip)))[:80000]
    heard = read.audio.waveform[: len(own)]
    assert np.corrcoef(own, heard)[0, 1] > 0.95
    assert probe_video(video).duration_s == pytest.approx(5, abs=0.1)


def test_clips_are_chosen_by_id(run, clips):
    ids = sorted(row['video_id'] for row in clips[1])[1:3]
    status, out = run(*(f'--id={i}' for i in ids))
    assert status == 0
    assert sorted(path.stem for path in out.iterdir()) == ids


def test_a_broken_clip_is_named_and_the_others_made(
    run, clips, tmp_path, capsys
):
    data = tmp_path / 'data'
    shutil.copytree(clips[0], data / LAYOUT.root)
    first, *others = [row for row in clips[1] if row['split'] == 'val']
    (data / LAYOUT.root / LAYOUT.path('audio_path', first)).unlink()
    status, out = run('--split', 'val', data=data)
    assert status == 1
    assert f'broken: {first["video_id"]}: audio' in capsys.readouterr().out
    assert {p.stem for p in out.iterdir()} == {c['video_id'] for c in others}


def test_an_unknown_clip(run):
    status, out = run('--id', 'nobody')
    assert 'has no clip nobody' in status
    assert not out.exists()


def test_no_data_set(run, tmp_path):
    status, _ = run(data=tmp_path)
    assert 'ms3_meta_data.csv' in status
