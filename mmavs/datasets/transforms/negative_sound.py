"""Clips heard with a sound that nothing in them makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from mmavs.datasets.off_screen_sounds import OffScreenSounds
from mmavs.datasets.transforms.audio_augmentation import (
    AudioAugmentation,
    check_range,
)
from mmavs.datasets.transforms.load_audio import load_waveform
from mmavs.datasets.transforms.load_avs_mask import UNLABELLED
from mmavs.datasets.transforms.negative_kinds import (
    FOREIGN,
    check_kinds,
    draw_name,
    foreign_weights,
)
from mmavs.functional.log_mel import (
    HOP_SAMPLES,
    PATCH_WINDOWS,
    count_patches,
)
from mmavs.functional.sounds import coloured_noise, mix_at_snr, silence

PATCH_SAMPLES = PATCH_WINDOWS * HOP_SAMPLES  # 0.96 s


def replace_patches(
    waveform: np.ndarray, foreign: np.ndarray, patches: Sequence[int]
) -> np.ndarray:
    """Put another sound in the place of some patches of 0.96 s.

    The windows of the front end overlap by 15 ms, so a patch hears that
    much of the one after it.

    Args:
        waveform: the clip's own sound.
        foreign: what comes in.
        patches: which.

    Shapes:
        - waveform, foreign, return: (S,)
    """
    out = waveform.copy()
    for patch in patches:
        part = slice(patch * PATCH_SAMPLES, (patch + 1) * PATCH_SAMPLES)
        out[part] = foreign[part]
    return out


class NegativeDraw(NamedTuple):
    """What was drawn for one clip; ``seed`` gives all the rest."""

    kind: str
    foreign: str
    snr_db: float
    noise_dbfs: float
    seed: int


@TRANSFORMS.register_module()
class NegativeSound(AudioAugmentation):
    """Let some clips be heard with a sound that nothing in view makes.

    Between ``LoadAudio`` and ``VGGishLogMel``, after ``ClipTransform``;
    :class:`NegativeSounds` puts it there. Where nothing in view is heard any
    more, the mask becomes background (label 0); what has no label (255)
    stays so. The kinds:

    - ``silence``; ``white_noise`` and ``pink_noise``; ``off_screen``, the
      sound of a clip of other classes: all frames become empty.
    - ``partial``: one of these in some of the patches of 0.96 s, at least in
      one, not in all; the frames to which they belong become empty, the
      others stay.
    - ``mixed``: noise or an off-screen sound besides the clip's own, which
      is still heard, so the masks stay.

    ``mixed`` and ``partial`` put in what is among the kinds, by its weight.

    Required keys: ``waveform``, ``sample_rate_hz``, ``num_frames``,
    ``frames``; ``video_id`` for ``off_screen``.
    Changed keys: ``waveform``, ``gt_seg_map`` of the frames. Added keys:
    ``negative_sound``, the kind, where there is one; ``audio_augmented``
    where the sound is another one every time.

    Args:
        share (float): How likely a clip gets another sound.
        kinds (dict): Kind -> weight.
        snr_db (Sequence[float]): ``mixed``: the smallest and the largest
            ratio of the power of the clip's own sound to the other one's.
            Defaults to (-5, 15).
        noise_dbfs (Sequence[float]): The lowest and the highest level of
            noise in the place of the sound, in decibels below a full scale
            of RMS 1. Defaults to (-40, -10), from a whisper to a shout.
        off_screen (OffScreenSounds, optional): Sounds for ``off_screen``.
        backend_args (dict, optional): Arguments of the file backend.

    Raises:
        ValueError: If a value is out of range, a kind is unknown, or there
            are no sounds for ``off_screen``.
    """

    def __init__(
        self,
        share: float,
        kinds: Mapping[str, float],
        snr_db: Sequence[float] = (-5.0, 15.0),
        noise_dbfs: Sequence[float] = (-40.0, -10.0),
        off_screen: OffScreenSounds | None = None,
        backend_args: dict | None = None,
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f'share must be in [0, 1], got {share!r}')
        super().__init__(share)
        self.kinds = check_kinds(kinds)
        self.snr_db = check_range('snr_db', snr_db)
        self.noise_dbfs = check_range('noise_dbfs', noise_dbfs)
        if 'off_screen' in self.kinds and off_screen is None:
            raise ValueError(
                "kind 'off_screen' needs clips whose classes are known, "
                f'leave it out of the kinds, got {self.kinds}'
            )
        self.off_screen = off_screen
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Replace the sound and empty the masks, or leave both.

        Args:
            results: Results of the clip.

        Returns:
            dict: The same results.
        """
        self._check_sound(results)
        if 'frames' not in results:
            raise ValueError(
                f'clip {results.get("video_id", "?")!r} has no frames yet: '
                'put ClipTransform before LoadAudio, so that their masks can '
                'follow the sound'
            )
        drawn = self._draw(results)
        if drawn is None:
            # Unlike other augmentations: the same sound again next time.
            return results
        generator = np.random.default_rng(drawn.seed)
        foreign = self._foreign_sound(results, drawn, generator)
        results['waveform'], emptied = _change(
            results['waveform'],
            foreign,
            results['num_frames'],
            drawn,
            generator,
        )
        for frame, empty in zip(results['frames'], emptied, strict=True):
            if empty and 'gt_seg_map' in frame:
                _empty(frame)
        results['negative_sound'] = drawn.kind
        if drawn.kind not in ('silence', 'off_screen'):
            # Never the same again: nothing to keep for the next epoch.
            results['audio_augmented'] = True
        return results

    @cache_randomness
    def _draw(self, results: dict) -> NegativeDraw | None:
        if not self._is_chosen():
            return None
        kind = draw_name(self.kinds, np.random.random_sample())
        return NegativeDraw(
            kind=kind,
            foreign=draw_name(
                foreign_weights(kind, self.kinds), np.random.random_sample()
            ),
            snr_db=np.random.uniform(*self.snr_db),
            noise_dbfs=np.random.uniform(*self.noise_dbfs),
            seed=np.random.randint(2**31),
        )

    def _foreign_sound(
        self,
        results: dict,
        drawn: NegativeDraw,
        generator: np.random.Generator,
    ) -> np.ndarray:
        """Sound as long as the clip's, which no object in view makes."""
        num_samples = len(results['waveform'])
        rate_hz = results['sample_rate_hz']
        if drawn.foreign == 'silence':
            return silence(num_samples)
        if drawn.foreign == 'off_screen':
            path = self.off_screen.draw(results['video_id'], generator)
            other = load_waveform(path, rate_hz, self.backend_args)
            return np.resize(other, num_samples)  # repeats a shorter one
        colour = drawn.foreign.removesuffix('_noise')
        noise = coloured_noise(num_samples, rate_hz, colour, generator)
        return noise * np.float32(10 ** (drawn.noise_dbfs / 20))

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(share={self.prob}, '
            f'kinds={self.kinds}, snr_db={self.snr_db}, '
            f'noise_dbfs={self.noise_dbfs}, '
            f'backend_args={self.backend_args})'
        )


def _change(
    waveform: np.ndarray,
    foreign: np.ndarray,
    num_frames: int,
    drawn: NegativeDraw,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Sound of a clip, and in which frames nothing in view is heard."""
    if drawn.kind in FOREIGN:
        return foreign, np.ones(num_frames, bool)
    if drawn.kind == 'mixed':
        mixture = mix_at_snr(waveform, foreign, drawn.snr_db)
        return mixture, np.zeros(num_frames, bool)
    # A clip that is too short repeats its last patch.
    count = min(max(count_patches(len(waveform)), 1), num_frames)
    some = generator.integers(1, max(count, 2))
    patches = generator.permutation(count)[:some]
    heard = np.minimum(np.arange(num_frames), count - 1)
    changed = replace_patches(waveform, foreign, patches)
    return changed, np.isin(heard, patches)


def _empty(frame: dict) -> None:
    """Make background of what is labelled in a frame."""
    mask = frame['gt_seg_map']
    frame['gt_seg_map'] = np.where(mask == UNLABELLED, mask, 0).astype(
        mask.dtype
    )
