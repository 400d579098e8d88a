"""AVSBench-object: clips with one (S4) or several (MS3) sounding objects."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence

import mmengine.fileio as fileio
from mmengine.fileio import join_path
from mmengine.utils import is_abs
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

_FIELD = re.compile(r'\{(\w*)\}')


def fill_pattern(pattern: str, fields: Mapping[str, str]) -> str:
    """Replace ``{name}`` by the field of that name.

    Unlike ``str.format`` this leaves other braces, of a data root say, as
    they are.

    Args:
        pattern: A path pattern.
        fields: Name -> value.

    Returns:
        str: The path.
    """
    return _FIELD.sub(lambda m: fields.get(m[1], m[0]), pattern)


@DATASETS.register_module()
class AVSBenchDataset(BaseSegDataset):
    """A list of clips in a CSV file, their files given by path patterns.

    One dict per clip: ``video_id`` (and the other columns, such as
    ``category``), ``num_frames``, ``img_paths`` [T], ``seg_map_paths`` [T]
    with None where a frame is unlabelled, ``audio_path``, and with a
    ``pairs_file`` ``paired_audio_paths`` {relation: path}. The files are
    opened, and missing ones reported, when a clip is loaded.

    What tells the parts of AVSBench apart is data: the class attributes,
    each of which an argument overrides.

    Args:
        split (str): The value to select in the CSV's column ``split``.
        num_frames (int): T, the frames of a clip. Defaults to 5.
        pairs_file (str, optional): JSON file, relative to ``data_root``,
            that names for every video id the clips whose audio the sound
            conditions play: {video_id: {relation: video_id}}.
        ann_file (str): The CSV file, relative to ``data_root``. Defaults to
            ``ANN_FILE``.
        data_prefix (dict, optional): Patterns ``img_path``,
            ``seg_map_path`` and ``audio_path``, relative to ``data_root``,
            with the CSV's columns and the frame number ``k`` as fields,
            ``{video_id}/{video_id}_{k}.png``. What is missing comes from
            ``DATA_PREFIX``.
        csv_columns (dict, optional): Column name -> position; ``video_id``
            and ``split`` are needed. Defaults to ``CSV_COLUMNS``.
        labelled_frames (dict, optional): Split -> numbers k of the frames
            that have a mask; a split not named has them all. Defaults to
            ``LABELLED_FRAMES``.
        first_frame (int, optional): The number k of the first frame.
            Defaults to ``FIRST_FRAME``.
        allow_empty_masks (bool, optional): Whether a training mask may be
            empty. Other splits are not checked: there an empty mask is
            scored. Defaults to ``ALLOW_EMPTY_MASKS``.
        **kwargs: Arguments of :class:`mmseg.datasets.BaseSegDataset`.

    Raises:
        FileNotFoundError: If the CSV file or the pairs file is missing.
        ValueError: If the CSV file has no rows of the split, a row is too
            short, a pattern has an unknown field, or ``reduce_zero_label``
            is set: label 0 is the background, and it counts.
    """

    METAINFO = dict(
        classes=('background', 'sounding'), palette=[[0, 0, 0], [220, 20, 60]]
    )
    ANN_FILE = ''
    CSV_COLUMNS: Mapping[str, int] = dict(video_id=0, split=1)
    DATA_PREFIX: Mapping[str, str] = dict()
    LABELLED_FRAMES: Mapping[str, Sequence[int]] = dict()
    FIRST_FRAME = 1
    ALLOW_EMPTY_MASKS = True
    TRAIN_SPLIT = 'train'

    def __init__(
        self,
        split: str,
        num_frames: int = 5,
        pairs_file: str | None = None,
        ann_file: str = '',
        data_prefix: Mapping[str, str] | None = None,
        csv_columns: Mapping[str, int] | None = None,
        labelled_frames: Mapping[str, Sequence[int]] | None = None,
        first_frame: int | None = None,
        allow_empty_masks: bool | None = None,
        **kwargs,
    ) -> None:
        if num_frames < 1:
            raise ValueError(
                f'num_frames must be at least 1, got {num_frames}'
            )
        if kwargs.get('reduce_zero_label'):
            raise ValueError(
                'reduce_zero_label must be False: label 0 is the background'
            )
        self.split = split
        self.num_frames = num_frames
        self.pairs_file = pairs_file
        self.csv_columns = self._or_default(csv_columns, self.CSV_COLUMNS)
        self.labelled_frames = self._or_default(
            labelled_frames, self.LABELLED_FRAMES
        )
        self.first_frame = self._or_default(first_frame, self.FIRST_FRAME)
        self.allow_empty_masks = self._or_default(
            allow_empty_masks, self.ALLOW_EMPTY_MASKS
        )
        patterns = {**self.DATA_PREFIX, **(data_prefix or {})}
        self._check_patterns(patterns)
        super().__init__(
            ann_file=ann_file or self.ANN_FILE, data_prefix=patterns, **kwargs
        )

    @staticmethod
    def _or_default(value, default):
        return default if value is None else value

    def _check_patterns(self, patterns: Mapping[str, str]) -> None:
        for key in ('video_id', 'split'):
            if key not in self.csv_columns:
                raise ValueError(
                    f'csv_columns must name {key!r}, got '
                    f'{dict(self.csv_columns)}'
                )
        for key in ('img_path', 'seg_map_path', 'audio_path'):
            if key not in patterns:
                raise ValueError(
                    f'data_prefix must have a pattern {key!r}, '
                    f'got {sorted(patterns)}'
                )
            allowed = {*self.csv_columns}
            if key != 'audio_path':
                allowed.add('k')
            unknown = set(_FIELD.findall(patterns[key])) - allowed
            if unknown:
                raise ValueError(
                    f'{key} pattern {patterns[key]!r}: unknown fields '
                    f'{sorted(unknown)}, known are {sorted(allowed)}'
                )

    def load_data_list(self) -> list[dict]:
        """List the clips of the split.

        Returns:
            list[dict]: One dict per clip, in the order of the CSV file.
        """
        rows = self._read_rows()
        selected = [row for row in rows if row['split'] == self.split]
        if not selected:
            # A header is just a row whose split is called 'split'.
            found = sorted({row['split'] for row in rows})
            raise ValueError(
                f'{self.ann_file} has no rows of split {self.split!r}; '
                f'column {self.csv_columns["split"]} holds {found[:10]}'
            )
        pairs = self._read_pairs()
        # Rows of this split come last: they win where an id occurs twice.
        by_id = {row['video_id']: row for row in rows + selected}
        return [self._clip_info(row, pairs, by_id) for row in selected]

    def _read_text(self, path: str, purpose: str) -> str:
        try:
            text = fileio.get_text(path, backend_args=self.backend_args)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{path} does not exist: {self.__class__.__name__} reads '
                f'{purpose} from it; is data_root={self.data_root!r} right?'
            ) from error
        return text.removeprefix('\ufeff')

    def _read_rows(self) -> list[dict[str, str]]:
        """Read the CSV file by position, every value as a string."""
        if not self.ann_file:
            raise ValueError(
                f'{self.__class__.__name__} needs ann_file, the CSV file '
                'with the clips'
            )
        text = self._read_text(self.ann_file, 'the list of clips')
        width = 1 + max(self.csv_columns.values())
        rows = []
        for number, row in enumerate(csv.reader(io.StringIO(text)), 1):
            if not row:
                continue
            if len(row) < width:
                raise ValueError(
                    f'{self.ann_file}, row {number}: needs {width} columns '
                    f'for {dict(self.csv_columns)}, got {row}'
                )
            rows.append(
                {
                    name: row[position].strip()
                    for name, position in self.csv_columns.items()
                }
            )
        return rows

    def _read_pairs(self) -> dict[str, dict[str, str]] | None:
        if self.pairs_file is None:
            return None
        path = self.pairs_file
        if self.data_root and not is_abs(path):
            path = join_path(self.data_root, path)
        pairs = json.loads(self._read_text(path, 'the audio pairs'))
        if not isinstance(pairs, dict):
            raise ValueError(
                f'{path} must hold an object {{video_id: '
                f'{{relation: video_id}}}}, got a '
                f'{type(pairs).__name__}'
            )
        return pairs

    def _clip_info(
        self,
        row: dict[str, str],
        pairs: dict | None,
        by_id: dict[str, dict[str, str]],
    ) -> dict:
        numbers = range(self.first_frame, self.first_frame + self.num_frames)
        labelled = self.labelled_frames.get(self.split, numbers)

        def frame_path(key: str, k: int) -> str:
            return fill_pattern(self.data_prefix[key], {**row, 'k': str(k)})

        info = dict(
            row,
            num_frames=self.num_frames,
            img_paths=[frame_path('img_path', k) for k in numbers],
            seg_map_paths=[
                frame_path('seg_map_path', k) if k in labelled else None
                for k in numbers
            ],
            audio_path=fill_pattern(self.data_prefix['audio_path'], row),
            label_map=self.label_map,
            reduce_zero_label=self.reduce_zero_label,
            allow_empty_masks=(
                self.allow_empty_masks or self.split != self.TRAIN_SPLIT
            ),
        )
        if pairs is not None:
            info['paired_audio_paths'] = self._paired_audio_paths(
                row['video_id'], pairs.get(row['video_id'], {}), by_id
            )
        return info

    def _paired_audio_paths(
        self,
        video_id: str,
        partners: dict[str, str],
        by_id: dict[str, dict[str, str]],
    ) -> dict[str, str]:
        missing = sorted(set(partners.values()) - by_id.keys())
        if missing:
            raise ValueError(
                f'{self.pairs_file} pairs clip {video_id!r} with {missing}, '
                f'not listed in {self.ann_file}'
            )
        return {
            relation: fill_pattern(
                self.data_prefix['audio_path'], by_id[partner]
            )
            for relation, partner in partners.items()
        }


@DATASETS.register_module()
class AVSBenchS4Dataset(AVSBenchDataset):
    """AVSBench Single-source: one sounding object, 23 categories.

    Of a training clip only the first frame is labelled, and its mask is
    never empty. ``data_root`` is the folder ``Single-source``. Arguments as
    in :class:`AVSBenchDataset`.
    """

    ANN_FILE = 's4_meta_data.csv'
    CSV_COLUMNS = dict(video_id=0, category=2, split=3)
    DATA_PREFIX = dict(
        img_path='s4_data/visual_frames/{split}/{category}/{video_id}/'
        '{video_id}_{k}.png',
        seg_map_path='s4_data/gt_masks/{split}/{category}/{video_id}/'
        '{video_id}_{k}.png',
        audio_path='s4_data/audio_wav/{split}/{category}/{video_id}.wav',
    )
    LABELLED_FRAMES = dict(train=(1,))
    ALLOW_EMPTY_MASKS = False


@DATASETS.register_module()
class AVSBenchMS3Dataset(AVSBenchDataset):
    """AVSBench Multi-sources: several objects, of which some sound.

    All frames are labelled; the mask of a silent frame is empty.
    ``data_root`` is the folder ``Multi-sources``. Arguments as in
    :class:`AVSBenchDataset`.
    """

    ANN_FILE = 'ms3_meta_data.csv'
    CSV_COLUMNS = dict(video_id=0, split=1)
    # Frames carry '.mp4' in their names and lie in no split folder.
    DATA_PREFIX = dict(
        img_path='ms3_data/visual_frames/{video_id}/{video_id}.mp4_{k}.png',
        seg_map_path='ms3_data/gt_masks/{split}/{video_id}/{video_id}_{k}.png',
        audio_path='ms3_data/audio_wav/{split}/{video_id}.wav',
    )
    ALLOW_EMPTY_MASKS = True
