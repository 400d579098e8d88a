"""A data set some of whose clips are heard with another sound."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping

from mmengine.dataset import BaseDataset, Compose, force_full_init
from mmengine.fileio import join_path
from mmengine.utils import is_abs
from mmseg.registry import DATASETS

from mmavs.datasets.avsbench import AVSBenchDataset
from mmavs.datasets.errors import DataError, MissingDataError
from mmavs.datasets.files import read_file
from mmavs.datasets.off_screen_sounds import (
    ClipClasses,
    OffScreenSounds,
    classes_of_columns,
    classes_of_entry,
)
from mmavs.datasets.transforms.load_audio import LoadAudio
from mmavs.datasets.transforms.negative_kinds import DEFAULT_KINDS
from mmavs.datasets.transforms.negative_sound import NegativeSound


@DATASETS.register_module()
class NegativeSounds:
    """Let some clips be heard with a sound that nothing in them makes.

    A model that only ever hears the sound of what it sees can do well by
    marking what looks as if it sounded. Here the same picture also comes
    with silence, noise and the sounds of other things, and then nothing is
    to be marked.

    Every item is drawn anew each time: with the chance ``share`` it gets
    another sound, of a kind as likely as its weight, see
    :class:`NegativeSound`, which this class puts right behind ``LoadAudio``
    in the pipeline of the data set. There are as many items as before, so
    of every batch about that share is spent on negatives.

    Args:
        dataset (AVSBenchDataset | dict): What is wrapped, or its config. Of
            a ``ConcatDataset`` the parts are wrapped. A given data set stays
            as it is.
        share (float): How likely an item gets another sound. Defaults to
            0.25.
        kinds (dict, optional): Kind -> weight. Defaults to all of them,
            ``off_screen`` and ``partial`` twice as likely as the others.
        clips_file (str, optional): The file with what is seen and heard in
            each clip that a synthetic set has, ``clips.json``, relative to
            its ``data_root``. Without it the columns ``category`` (S4) and
            ``objects`` (AVSS) tell, which name what sounds and not what is
            in view besides; MS3 has neither.
        lazy_init (bool): Whether to leave reading the clips for later.
            Defaults to False.
        **kwargs: Further arguments of :class:`NegativeSound`.

    Raises:
        TypeError: If ``dataset`` is of another kind.
        ValueError: If its pipeline loads no audio, an argument is out of
            range, or ``off_screen`` is asked for and nobody says what the
            classes of the clips are.
        MissingDataError: If ``clips_file`` is missing.
        DataError: If ``clips_file`` is not such a file or lacks a clip, or
            a clip has no other whose sound could be off its screen.
    """

    def __init__(
        self,
        dataset: AVSBenchDataset | dict,
        share: float = 0.25,
        kinds: Mapping[str, float] | None = None,
        clips_file: str | None = None,
        lazy_init: bool = False,
        **kwargs,
    ) -> None:
        if isinstance(dataset, dict):
            # Read in full_init, with the clips' classes.
            dataset = DATASETS.build(dict(dataset, lazy_init=True))
        if not isinstance(dataset, BaseDataset):
            raise TypeError(
                'NegativeSounds wraps one data set of clips, and each of the '
                f'parts of a ConcatDataset, got a {type(dataset).__name__}'
            )
        self.dataset = copy.copy(dataset)
        self.clips_file = clips_file
        steps = self.dataset.pipeline.transforms
        loaders = [
            i for i, step in enumerate(steps) if isinstance(step, LoadAudio)
        ]
        if not loaders:
            raise ValueError(
                'NegativeSounds needs LoadAudio in the pipeline, got '
                f'{[type(step).__name__ for step in steps]}'
            )
        place = loaders[0]
        self._steps = steps[: place + 1], steps[place + 1 :]
        self._arguments = dict(
            share=share,
            kinds=DEFAULT_KINDS if kinds is None else kinds,
            backend_args=steps[place].backend_args,
            **kwargs,
        )
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """Names and colours of the classes, of the wrapped data set."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Read the clips and find which sounds are off whose screen."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        off_screen = None
        if self._arguments['kinds'].get('off_screen'):
            off_screen = self._off_screen_sounds()
        negative = NegativeSound(off_screen=off_screen, **self._arguments)
        before, after = self._steps
        self.dataset.pipeline = Compose([*before, negative, *after])
        self._fully_initialized = True

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Get the entry of a clip, as the wrapped data set lists it."""
        return self.dataset.get_data_info(idx)

    @force_full_init
    def __len__(self) -> int:
        return len(self.dataset)

    @force_full_init
    def __getitem__(self, idx: int) -> dict:
        return self.dataset[idx]

    def _off_screen_sounds(self) -> OffScreenSounds:
        infos = [
            self.dataset.get_data_info(i) for i in range(len(self.dataset))
        ]
        entries = self._read_entries()
        classes = {
            info['video_id']: self._classes(info, entries) for info in infos
        }
        paths = {info['video_id']: info['audio_path'] for info in infos}
        return OffScreenSounds(classes, paths)

    def _classes(self, info: Mapping, entries: Mapping | None) -> ClipClasses:
        video_id = info['video_id']
        if entries is None:
            classes = classes_of_columns(info)
            if classes is None:
                raise ValueError(
                    "kind 'off_screen' needs the classes of the clips, and "
                    f'{type(self.dataset).__name__} does not know them: give '
                    'the clips_file of a synthetic set, or kinds without '
                    "'off_screen'"
                )
            return classes
        try:
            return classes_of_entry(entries[video_id])
        except (KeyError, TypeError) as error:
            raise DataError(
                f'{self.clips_file} does not tell the objects and what '
                f'sounds in clip {video_id!r}: {error!r}'
            ) from error

    def _read_entries(self) -> dict | None:
        if self.clips_file is None:
            return None
        path = self.clips_file
        if self.dataset.data_root and not is_abs(path):
            path = join_path(self.dataset.data_root, path)
        try:
            content = read_file(
                path, 'what is seen and heard', self.dataset.backend_args
            )
        except MissingDataError as error:
            raise MissingDataError(
                f'{path} does not exist: clips_file names it, a file that '
                'synthetic sets have'
            ) from error
        try:
            entries = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise DataError(f'{path} is not a JSON file: {error}') from error
        if not isinstance(entries, dict):
            raise DataError(
                f'{path} must hold an object {{video_id: clip}}, got a '
                f'{type(entries).__name__}'
            )
        return entries
