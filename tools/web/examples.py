"""Two synthetic videos to try the page with."""

from __future__ import annotations

import tempfile
from pathlib import Path

import soundfile

from mmavs.datasets import AVSBenchS4Dataset
from mmavs.datasets.synthetic import write_synthetic_avsbench
from mmavs.datasets.transforms.load_frame import load_frame
from mmavs.datasets.videos import SoundTrack, VideoWriter


def write_examples(folder: Path) -> list[Path]:
    """Write two videos with the same pictures and different sounds.

    Args:
        folder: Where they go.

    Returns:
        list[Path]: The mp4 files.
    """
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as root:
        root, _ = write_synthetic_avsbench(
            root, 's4', dict(train=0, val=0, test=4)
        )
        dataset = AVSBenchS4Dataset(
            data_root=str(root), split='test', pairs_file='sound_pairs.json'
        )
        clip = dataset.get_data_info(0)
        frames = [load_frame(path)[..., ::-1] for path in clip['img_paths']]
        sounds = dict(
            first=clip['audio_path'], second=clip['paired_audio_paths']['twin']
        )
        return [
            _write_video(folder / f'{name}_sound.mp4', frames, path)
            for name, path in sounds.items()
        ]


def _write_video(path: Path, frames: list, sound_path: str) -> Path:
    """A second for each frame, and the sound."""
    samples, rate_hz = soundfile.read(
        sound_path, dtype='float32', always_2d=True
    )
    track = SoundTrack(rate_hz, samples.shape[1], iter([samples.T]))
    with VideoWriter(path, frames[0].shape[:2], track) as video:
        for end_s, frame in enumerate(frames, 1):
            video.add(frame, end_s)
    return path
