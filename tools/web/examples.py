"""Two synthetic videos to try the page with."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mmavs.datasets import AVSBenchS4Dataset
from mmavs.datasets.conversion import write_clip_video
from mmavs.datasets.synthetic import write_synthetic_avsbench


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
        sounds = dict(
            first=clip['audio_path'], second=clip['paired_audio_paths']['twin']
        )
        videos = [folder / f'{name}_sound.mp4' for name in sounds]
        for video, sound in zip(videos, sounds.values(), strict=True):
            write_clip_video(video, clip['img_paths'], sound)
    return videos
