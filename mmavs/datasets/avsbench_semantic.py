"""AVSBench-semantic: which class sounds where."""

from __future__ import annotations

from mmseg.registry import DATASETS

from mmavs.datasets.avsbench import AVSBenchDataset
from mmavs.datasets.layout import (
    LABEL_FILE,
    LAYOUTS,
    class_palette,
    read_labels,
)


@DATASETS.register_module()
class AVSBenchSemanticDataset(AVSBenchDataset):
    """AVSBench-semantic: which class sounds where; clips of 5 and 10 s.

    Three subsets, v1s, v1m (5 frames) and v2 (10 frames); of a v1s training
    clip only the first frame is labelled. ``data_root`` is the folder with
    ``metadata.csv``. Masks are the index images ``labels_semantic``; for the
    coloured ones give ``data_prefix=dict(seg_map_path=
    '{subset}/{video_id}/labels_rgb/{k}.png')``. Clips of different lengths
    do not fit into one batch: the data loader takes
    ``batch_sampler=dict(type='SameLengthBatchSampler')``.

    Args:
        split (str): ``train``, ``val`` or ``test``.
        label_file (str): JSON file with the classes, {name: index}, the
            background 0, relative to ``data_root``. It decides how many
            classes there are: 71 as published.
        **kwargs: Arguments of :class:`AVSBenchDataset`.

    Raises:
        MissingDataError: If the label file is missing.
        DataError: If its indices are not 0, 1, 2, ...
        ValueError: If ``metainfo`` gives classes: they are those of the
            label file.
    """

    # Those of the label file, read when somebody asks for them.
    METAINFO: dict = dict(classes=(), palette=[])
    LAYOUT = LAYOUTS['avss']

    def __init__(
        self, split: str, label_file: str = LABEL_FILE, **kwargs
    ) -> None:
        metainfo = kwargs.get('metainfo') or {}
        if {'classes', 'palette'} & metainfo.keys():
            raise ValueError(
                f'the classes of {type(self).__name__} are those of '
                f'{label_file}, metainfo must not name others'
            )
        self.label_file = label_file
        super().__init__(split, **kwargs)

    @property
    def metainfo(self) -> dict:
        """Names and colours of the classes, and what was given."""
        self._load_classes()
        return super().metainfo

    def load_data_list(self) -> list[dict]:
        """List the clips of the split, each with the ``palette``.

        Returns:
            list[dict]: One dict per clip, in the order of the CSV file,
            those with fewer frames first.
        """
        self._load_classes()
        infos = super().load_data_list()
        for info in infos:
            info['palette'] = self._metainfo['palette']
        return infos

    def _load_classes(self) -> None:
        if self._metainfo['classes']:
            return
        path = self._absolute(self.label_file)
        classes = read_labels(self._read(path, 'the classes'), path)
        self._metainfo.update(
            classes=classes, palette=class_palette(len(classes))
        )
