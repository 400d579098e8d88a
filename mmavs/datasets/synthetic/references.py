"""What can be scored on a synthetic set without a model.

All references mark whole objects whose outlines they know exactly; they
differ in what they know of the sound.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import mmcv
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmavs.datasets.layout import SPLITS
from mmavs.datasets.transforms.load_avs_mask import decode_binary_mask
from mmavs.evaluation.functional.binary_iou import binary_iou
from mmavs.evaluation.functional.f_measure import f_measure_curve
from mmavs.evaluation.functional.scores import ClipScores

from .clip_files import clip_files
from .completion import read_options
from .object_sets import object_sets, set_indices, sounding_distribution
from .plan import ClipPlan, plan_clips
from .render import render_scene
from .scene import Scene
from .subsets import SUBSETS

__all__ = ['REFERENCES', 'reference_scores']

REFERENCES = ('oracle', 'clip_oracle', 'vision_only', 'all_objects', 'nothing')
"""tuple[str]: all references, see :func:`reference_scores`."""

_THRESHOLD = 0.5


def _masks_of_sets(
    owner: np.ndarray, sets: np.ndarray, input_size: tuple[int, int] | None
) -> Tensor:
    """What is predicted for every set of objects.

    Args:
        owner: (M, H, W), see :class:`scene.Scene`.
        sets: (K, n), of :func:`object_sets.object_sets`.
        input_size: width and height of what a model sees and answers in.

    Returns:
        Tensor: float32 (K, M, H, W) in [0, 1]: brought to ``input_size`` as
        a mask is, by nearest neighbours, and back as predictions are.
    """
    size = owner.shape[1:]
    if input_size is not None:
        owner = np.stack(
            [
                mmcv.imresize(frame, input_size, interpolation='nearest')
                for frame in owner
            ]
        )
    background = np.zeros((len(sets), 1), bool)
    marked = np.concatenate([background, sets], 1)[:, owner]
    masks = torch.from_numpy(marked.astype(np.float32))
    if input_size is None:
        return masks
    return F.interpolate(
        masks, size=size, mode='bilinear', align_corners=False
    )


def _ious_of_sets(masks: Tensor, truths: Tensor) -> np.ndarray:
    """IoU of every set against every set, (K, K, M): predicted, true."""
    return np.stack(
        [
            np.stack(
                [
                    binary_iou(mask > _THRESHOLD, truth).numpy()
                    for truth in truths
                ]
            )
            for mask in masks
        ]
    )


def _best_sets(
    ious: np.ndarray, probabilities: np.ndarray, sets: np.ndarray
) -> np.ndarray:
    """The sets with the best expected IoU, (M,).

    Where several are as good, the one with the most objects: its score
    depends least on what happens to sound.
    """
    expected = np.einsum('ktm,t->km', ious, probabilities)
    # What is equal in theory differs by roundings.
    as_good = expected > expected.max(0) - 1e-6
    return np.where(as_good, sets.sum(1)[:, None], -1).argmax(0)


def _check_masks(root: Path, files: dict[int, str], truth: np.ndarray) -> None:
    """Compare the masks of a clip, (M, H, W), with its files.

    Raises:
        ValueError: if one differs: the set is not what its marker says.
    """
    for path, mask in zip(files.values(), truth, strict=True):
        stored = decode_binary_mask((root / path).read_bytes(), path)
        if not np.array_equal(stored > 0, mask):
            raise ValueError(
                f'{root / path} is not the mask that is drawn for it anew: '
                'the set is of another version of the generator or has been '
                'changed; write it again'
            )


def _score_scene(
    root: Path,
    scene: Scene,
    plans: Sequence[ClipPlan],
    vision_only: np.ndarray,
    input_size: tuple[int, int] | None,
) -> Iterable[tuple[str, ClipScores]]:
    """Score all references on the clips that share a scene.

    Args:
        root: folder of the setting.
        scene: what they show.
        plans: one clip or two twins.
        vision_only: (2^n,), see :func:`object_sets.sounding_distribution`.
        input_size: see :func:`reference_scores`.

    Yields:
        Pairs of a reference and its scores.
    """
    sets = object_sets(len(plans[0].species))
    masks = clip_files(plans[0])['seg_map_path']
    owner = scene.owner[list(masks)]
    truths = _masks_of_sets(owner, sets, None).to(torch.uint8)
    predictions = _masks_of_sets(owner, sets, input_size)
    ious = _ious_of_sets(predictions, truths)
    frames = np.arange(len(owner))
    seen = _best_sets(ious, vision_only, sets)
    for plan in plans:
        sounding = set_indices(np.array(plan.sounding[: len(plan.species)]))
        share = np.bincount(sounding, minlength=len(sets)) / len(sounding)
        true = sounding[list(masks)]
        target = truths[true, frames]
        _check_masks(root, clip_files(plan)['seg_map_path'], target.numpy())
        chosen = dict(
            oracle=true,
            clip_oracle=_best_sets(ious, share, sets),
            vision_only=seen,
            all_objects=np.full(len(owner), len(sets) - 1),
            nothing=np.zeros(len(owner), int),
        )
        for name, indices in chosen.items():
            curve = f_measure_curve(predictions[indices, frames], target)
            scores = ClipScores(
                video_id=plan.video_id,
                iou=ious[indices, true, frames],
                f_curve=curve.float().numpy(),
                non_empty=(target > 0).flatten(1).any(1).numpy(),
            )
            yield name, scores


def reference_scores(
    root: str | Path,
    split: str = 'test',
    input_size: tuple[int, int] | None = None,
) -> dict[str, list[ClipScores]]:
    """Score what needs no model on a synthetic S4 or MS3.

    - ``oracle``: marks what sounds in every frame: what is left of masks
      that have been brought to the model's resolution as its training masks
      are. It is no bound for a model that marks parts of pixels, or makes
      good for the shift of nearest neighbours.
    - ``clip_oracle``: knows which sets of objects sound in the clip and how
      often each does, but not when: the most that is expected of a model
      whose output does not depend on the order of the sounds.
    - ``vision_only``: hears nothing, and knows how the generator draws what
      sounds. Twins get the same masks.
    - ``all_objects`` and ``nothing``: mark that in every frame.

    ``clip_oracle`` and ``vision_only`` mark, in every frame, the set of
    objects with the best expected IoU, which may be the empty one: their
    mIoU is a ceiling, up to what the set happens to hold, and their F is
    that of the same masks.

    Args:
        root: a complete set that
            :func:`writer.write_synthetic_avsbench` wrote.
        split: ``train``, ``val`` or ``test``.
        input_size: width and height of the frames a model sees, as the scale
            of ``Resize`` in its config: masks pass through that size. None
            takes them as they are.

    Returns:
        The names of :data:`REFERENCES` to the scores of all clips of the
        split, as :class:`~mmavs.evaluation.AVSMetric` makes them.

    Raises:
        FileNotFoundError: if there is no complete synthetic set.
        ValueError: if the set is semantic, the split is unknown or empty, or
            a mask is not what the generator draws.
    """
    root = Path(root)
    options = read_options(root)
    subset, off_screen = options['subset'], options.get('off_screen', 'none')
    if subset not in SUBSETS:
        raise ValueError(
            f'references exist of sets of s4 and ms3, {root} is of {subset!r}'
        )
    if split not in SPLITS or not options['num_clips'][split]:
        raise ValueError(
            f'split must be one of {SPLITS} with clips, got {split!r} with '
            f'the clips {options["num_clips"]} of {root}'
        )
    silent_share = options['silent_share'] or 0.0  # none in S4
    plans = plan_clips(
        subset,
        options['num_clips'],
        options['seed'],
        silent_share,
        off_screen,
    )
    scores: dict[str, list[ClipScores]] = {name: [] for name in REFERENCES}
    for _, group in itertools.groupby(
        (plan for plan in plans if plan.split == split),
        key=lambda plan: plan.scene_index,
    ):
        twins = list(group)
        vision_only = sounding_distribution(
            subset, len(twins[0].species), silent_share, off_screen
        )
        for name, clip in _score_scene(
            root, render_scene(twins[0]), twins, vision_only, input_size
        ):
            scores[name].append(clip)
    return scores
