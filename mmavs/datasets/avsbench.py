"""AVSBench-object: clips with one (S4) or several (MS3) sounding objects.

What tells the settings apart is data, the tables of
:mod:`mmavs.datasets.layout`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mmengine.fileio import join_path
from mmengine.utils import is_abs
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from mmavs.datasets.errors import DataError, MissingDataError
from mmavs.datasets.files import read_file
from mmavs.datasets.layout import (
    LAYOUTS,
    Column,
    Layout,
    fill_pattern,
    pattern_fields,
    read_clips,
)

TRAIN_SPLIT = 'train'
_NEEDED_COLUMNS = ('video_id', 'split')
_NEEDED_PATTERNS = ('img_path', 'seg_map_path', 'audio_path')


@DATASETS.register_module()
class AVSBenchDataset(BaseSegDataset):
    """A list of clips in a CSV file, their files given by path patterns.

    One dict per clip: ``video_id`` (and the other columns, such as
    ``category``), ``subset``, ``num_frames``, ``img_paths`` [T],
    ``seg_map_paths`` [T] with None where a frame is unlabelled,
    ``audio_path``, ``log_mel_path`` where there is a pattern for it, and
    with a ``pairs_file`` ``paired_audio_paths`` {relation: path}. The files
    are opened, and missing ones reported, when a clip is loaded.

    Clips come in the order of the CSV file, those with fewer frames first.

    Args:
        split (str): The value to select in the CSV's column ``split``.
        num_frames (int, optional): T, the frames of a clip; fewer than
            there are takes the first ones. Defaults to the layout's number
            of each subset.
        subsets (Sequence[str], optional): Which subsets to take, where the
            CSV lists several. Defaults to all.
        pairs_file (str, optional): JSON file, relative to ``data_root``,
            that names for every video id the clips whose audio the sound
            conditions play: {video_id: {relation: video_id}}.
        ann_file (str): The CSV file, relative to ``data_root``. Defaults to
            the layout's.
        data_prefix (dict, optional): Patterns ``img_path``,
            ``seg_map_path``, ``audio_path`` and ``log_mel_path``, relative
            to ``data_root``, with the CSV's columns and the frame number
            ``k`` as fields, ``{video_id}/{video_id}_{k}.png``. What is
            missing comes from the layout.
        csv_columns (dict, optional): Column name -> its position, or its
            name in the CSV's header; ``video_id`` and ``split`` are needed.
            Defaults to the layout's, by header where there is one.
        labelled_frames (dict, optional): Split -> numbers k of the frames
            that have a mask, or subset -> such a dict; what is not named
            has them all. Defaults to the layout's.
        first_frame (int, optional): The number k of the first frame.
            Defaults to the layout's.
        allow_empty_masks (bool, optional): Whether a training mask may be
            empty. Other splits are not checked: there an empty mask is
            scored. Defaults to the layout's.
        **kwargs: Arguments of :class:`mmseg.datasets.BaseSegDataset`.

    Attributes:
        LAYOUT: What the class reads if no argument says otherwise.
        layout: What this data set reads.

    Raises:
        MissingDataError: If the CSV file or the pairs file is missing.
        DataError: If the CSV file has no rows of the split, or is none.
        ValueError: If a pattern has an unknown field, or
            ``reduce_zero_label`` is set: label 0 is the background, and it
            counts.
    """

    METAINFO = dict(
        classes=('background', 'sounding'), palette=[[0, 0, 0], [220, 20, 60]]
    )
    LAYOUT = Layout(
        root='',
        csv_name='',
        columns=dict(video_id=Column(0), split=Column(1)),
        patterns={},
        num_frames=dict(clips=5),
    )

    def __init__(
        self,
        split: str,
        num_frames: int | None = None,
        subsets: Sequence[str] | None = None,
        pairs_file: str | None = None,
        ann_file: str = '',
        data_prefix: Mapping[str, str] | None = None,
        csv_columns: Mapping[str, int | str] | None = None,
        labelled_frames: Mapping | None = None,
        first_frame: int | None = None,
        allow_empty_masks: bool | None = None,
        **kwargs,
    ) -> None:
        if kwargs.get('reduce_zero_label'):
            raise ValueError(
                'reduce_zero_label must be False: label 0 is the background'
            )
        self.split = split
        self.subsets = tuple(subsets or self.LAYOUT.subsets)
        self.pairs_file = pairs_file
        self.layout = self._adapted_layout(
            num_frames,
            csv_name=ann_file or self.LAYOUT.csv_name,
            columns=csv_columns and _columns(csv_columns),
            patterns={**self.LAYOUT.patterns, **(data_prefix or {})},
            labelled=labelled_frames,
            first_frame=first_frame,
            allow_empty_masks=allow_empty_masks,
        )
        super().__init__(
            ann_file=self.layout.csv_name,
            # Upstream puts data_root before each of them.
            data_prefix=dict(self.layout.patterns),
            **kwargs,
        )

    def _adapted_layout(self, num_frames: int | None, **changes) -> Layout:
        """Layout of the class with what the arguments say otherwise."""
        layout = replace(
            self.LAYOUT,
            **{k: v for k, v in changes.items() if v is not None},
        )
        if num_frames is not None:
            if num_frames < 1:
                raise ValueError(
                    f'num_frames must be at least 1, got {num_frames}'
                )
            layout = replace(
                layout, num_frames=dict.fromkeys(layout.subsets, num_frames)
            )
        unknown = set(self.subsets) - set(layout.subsets)
        if unknown:
            raise ValueError(
                f'subsets must be among {layout.subsets}, got '
                f'{sorted(unknown)}'
            )
        for key in _NEEDED_COLUMNS:
            if key not in layout.columns:
                raise ValueError(
                    f'csv_columns must name {key!r}, got '
                    f'{sorted(layout.columns)}'
                )
        for key in _NEEDED_PATTERNS:
            if key not in layout.patterns:
                raise ValueError(
                    f'data_prefix must have a pattern {key!r}, '
                    f'got {sorted(layout.patterns)}'
                )
        for key, pattern in layout.patterns.items():
            allowed = {*layout.columns}
            if key.startswith(('img', 'seg_map')):
                allowed.add('k')
            unknown = pattern_fields(pattern) - allowed
            if unknown:
                raise ValueError(
                    f'{key} pattern {pattern!r}: unknown fields '
                    f'{sorted(unknown)}, known are {sorted(allowed)}'
                )
        return layout

    def load_data_list(self) -> list[dict]:
        """List the clips of the split.

        Returns:
            list[dict]: One dict per clip, in the order of the CSV file,
            those with fewer frames first.
        """
        if not self.ann_file:
            raise ValueError(
                f'{self.__class__.__name__} needs ann_file, the CSV file '
                'with the clips'
            )
        rows = read_clips(
            self._read(self.ann_file, 'the list of clips'),
            self.layout.columns,
            self.ann_file,
            set().union(*map(pattern_fields, self.layout.patterns.values())),
        )
        selected = [row for row in rows if row['split'] == self.split]
        if not selected:
            # A header is just a row whose split is called 'split'.
            found = sorted({row['split'] for row in rows})
            raise DataError(
                f'{self.ann_file} has no rows of split {self.split!r}; '
                f'its column of splits holds {found[:10]}'
            )
        clips = [
            row
            for row in selected
            if self._subset(row, self.ann_file) in self.subsets
        ]
        if not clips:
            raise DataError(
                f'{self.ann_file} has no rows of subset '
                f'{", ".join(self.subsets)} in split {self.split!r}'
            )
        pairs = self._read_pairs()
        # Rows of this split come last: they win where an id occurs twice.
        by_id = {row['video_id']: row for row in rows + selected}
        infos = [self._clip_info(row, pairs, by_id) for row in clips]
        # Batches of one length, in this order, are as full as can be.
        return sorted(infos, key=lambda info: info['num_frames'])

    def _subset(self, row: Mapping[str, str], name: str) -> str:
        try:
            return self.layout.subset(row)
        except DataError as error:
            raise DataError(f'{name}: {error}') from error

    def _read(self, path: str, purpose: str) -> bytes:
        try:
            return read_file(path, purpose, self.backend_args)
        except MissingDataError as error:
            raise MissingDataError(
                f'{path} does not exist: {self.__class__.__name__} reads '
                f'{purpose} from it; is data_root={self.data_root!r} right?'
            ) from error

    def _absolute(self, path: str) -> str:
        if self.data_root and not is_abs(path):
            return join_path(self.data_root, path)
        return path

    def _read_pairs(self) -> dict[str, dict[str, str]] | None:
        if self.pairs_file is None:
            return None
        path = self._absolute(self.pairs_file)
        try:
            content = read_file(path, 'the audio pairs', self.backend_args)
        except MissingDataError as error:
            raise MissingDataError(
                f'{path} does not exist: pairs_file names it; set it to None '
                'where no sound condition needs pairs of clips'
            ) from error
        try:
            pairs = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise DataError(f'{path} is not a JSON file: {error}') from error
        if not isinstance(pairs, dict):
            raise DataError(
                f'{path} must hold an object {{video_id: {{relation: '
                f'video_id}}}}, got a {type(pairs).__name__}'
            )
        for video_id, partners in pairs.items():
            if not isinstance(partners, dict) or not all(
                isinstance(partner, str) for partner in partners.values()
            ):
                raise DataError(
                    f'{self.pairs_file}: the pairs of {video_id!r} must be '
                    f'{{relation: video_id}}, got {partners!r}'
                )
        return pairs

    def _clip_info(
        self,
        row: dict[str, str],
        pairs: dict | None,
        by_id: dict[str, dict[str, str]],
    ) -> dict:
        numbers = self.layout.frame_numbers(row)
        labelled = self.layout.labelled_numbers(row)

        def path(key: str, k: int) -> str:
            return fill_pattern(self.data_prefix[key], {**row, 'k': str(k)})

        info = dict(
            row,
            subset=self.layout.subset(row),
            num_frames=len(numbers),
            img_paths=[path('img_path', k) for k in numbers],
            seg_map_paths=[
                path('seg_map_path', k) if k in labelled else None
                for k in numbers
            ],
            audio_path=fill_pattern(self.data_prefix['audio_path'], row),
            label_map=self.label_map,
            reduce_zero_label=self.reduce_zero_label,
            allow_empty_masks=(
                self.layout.allow_empty_masks or self.split != TRAIN_SPLIT
            ),
        )
        if 'log_mel_path' in self.data_prefix:
            info['log_mel_path'] = fill_pattern(
                self.data_prefix['log_mel_path'], row
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
            raise DataError(
                f'{self.pairs_file} pairs clip {video_id!r} with {missing}, '
                f'not listed in {self.ann_file}'
            )
        return {
            relation: fill_pattern(
                self.data_prefix['audio_path'], by_id[partner]
            )
            for relation, partner in partners.items()
        }


def _columns(csv_columns: Mapping[str, int | str]) -> dict[str, Column]:
    """Columns by position or by header, as an argument gives them."""
    return {
        name: Column(None, (where.lower(),))
        if isinstance(where, str)
        else Column(where)
        for name, where in csv_columns.items()
    }


@DATASETS.register_module()
class AVSBenchS4Dataset(AVSBenchDataset):
    """AVSBench Single-source: one sounding object, 23 categories.

    Of a training clip only the first frame is labelled, and its mask is
    never empty. ``data_root`` is the folder ``Single-source``. Arguments as
    in :class:`AVSBenchDataset`.
    """

    LAYOUT = LAYOUTS['s4']


@DATASETS.register_module()
class AVSBenchMS3Dataset(AVSBenchDataset):
    """AVSBench Multi-sources: several objects, of which some sound.

    All frames are labelled; the mask of a silent frame is empty.
    ``data_root`` is the folder ``Multi-sources``. Arguments as in
    :class:`AVSBenchDataset`.
    """

    LAYOUT = LAYOUTS['ms3']
