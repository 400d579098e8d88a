"""Where the files of AVSBench-object lie.

Everything in which the two subsets differ on disk is in this table.
"""

from dataclasses import dataclass

__all__ = ['FRAME_SIZE', 'LAYOUTS', 'NUM_FRAMES', 'SPLITS', 'SubsetLayout']

FRAME_SIZE = 224
NUM_FRAMES = 5
SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True)
class SubsetLayout:
    """The layout of one subset; patterns are relative to its root.

    Patterns are filled with ``split``, ``category`` (S4 only), ``video_id``
    and, for frames and masks, ``k`` = 1..5.

    Attributes:
        root (str): folder of the subset.
        csv_name (str): the file that lists the clips.
        csv_columns (tuple[str]): its header.
        frame (str): pattern of a frame.
        mask (str): pattern of a mask.
        wav (str): pattern of a waveform.
        labelled (dict[str, tuple[int]]): split -> frames that have a mask.
    """

    root: str
    csv_name: str
    csv_columns: tuple
    frame: str
    mask: str
    wav: str
    labelled: dict


_ALL_FRAMES = tuple(range(1, NUM_FRAMES + 1))
_S4_CLIP = '{split}/{category}/{video_id}'

LAYOUTS = dict(
    s4=SubsetLayout(
        root='Single-source',
        csv_name='s4_meta_data.csv',
        csv_columns=('name', 'start', 'category', 'split'),
        frame=f's4_data/visual_frames/{_S4_CLIP}/{{video_id}}_{{k}}.png',
        mask=f's4_data/gt_masks/{_S4_CLIP}/{{video_id}}_{{k}}.png',
        wav=f's4_data/audio_wav/{_S4_CLIP}.wav',
        labelled=dict(train=(1,), val=_ALL_FRAMES, test=_ALL_FRAMES),
    ),
    ms3=SubsetLayout(
        root='Multi-sources',
        csv_name='ms3_meta_data.csv',
        csv_columns=('video_id', 'split'),
        # frames lie outside the split folders, with '.mp4' in their names
        frame='ms3_data/visual_frames/{video_id}/{video_id}.mp4_{k}.png',
        mask='ms3_data/gt_masks/{split}/{video_id}/{video_id}_{k}.png',
        wav='ms3_data/audio_wav/{split}/{video_id}.wav',
        labelled=dict(train=_ALL_FRAMES, val=_ALL_FRAMES, test=_ALL_FRAMES),
    ),
)
"""dict[str, SubsetLayout]: ``s4`` and ``ms3``."""
