"""What a clip sounds like: its own audio, another's, noise, or nothing."""

import copy

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmavs.config_types import type_name
from mmavs.datasets.errors import DataError
from mmavs.datasets.sound_conditions import (
    SOUND_CONDITIONS,
    condition_rng,
    parse_condition,
)
from mmavs.datasets.transforms.load_audio import LoadAudio, load_waveform


@TRANSFORMS.register_module()
class SoundCondition(BaseTransform):
    """Change the waveform of a clip, to test whether a model listens.

    Comes right after ``LoadAudio``, so every condition passes through the
    same front end. What the conditions are:
    :mod:`mmavs.datasets.sound_conditions`; another one is one more function
    in its ``SOUND_CONDITIONS``. What is random in them depends on the seed,
    the clip's id and the name of the condition, and on nothing else.

    Required keys: ``waveform``, ``sample_rate_hz``; ``paired_audio_paths``
    for those that play another clip; ``video_id`` for noise and shuffle,
    ``num_frames`` for shuffle.
    Changed key: ``waveform``. Added keys: ``sound_condition``, its text, and
    ``played_audio_path`` if another file takes the place of the clip's.

    Args:
        condition (str): ``NAME`` or ``NAME@PARAMETER``. Defaults to
            'matched', which keeps the clip's own audio.
        seed (int): What noise is drawn, and what order. Defaults to 0.
        backend_args (dict, optional): Arguments of the file backend.

    Raises:
        ValueError: If the condition is unknown, the clip has no such pair,
            is shorter than a shift, or has not two patches to shuffle.
    """

    def __init__(
        self,
        condition: str = 'matched',
        seed: int = 0,
        backend_args: dict | None = None,
    ) -> None:
        self.condition = parse_condition(condition)
        self.seed = seed
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Change ``results['waveform']``.

        Args:
            results: Results of the clip.

        Returns:
            dict: The same results with the waveform of the condition.
        """
        condition, clip = self.condition, results.get('video_id', '?')
        if 'waveform' not in results:
            raise ValueError(
                f'clip {clip!r} came as a log-mel: a sound condition needs '
                "waveforms, LoadAudio(source='wav')"
            )

        def load(path: str) -> np.ndarray:
            return load_waveform(
                path, results['sample_rate_hz'], self.backend_args
            )

        rng = condition_rng(self.seed, clip, condition.name)
        play = SOUND_CONDITIONS[condition.name]
        try:
            results['waveform'] = play(results, condition, load, rng)
        except DataError:  # names the file
            raise
        except ValueError as error:
            raise ValueError(
                f'clip {clip!r} under {condition.text}: {error}'
            ) from error
        results['sound_condition'] = condition.text
        return results

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(condition={self.condition.text!r}, '
            f'seed={self.seed}, backend_args={self.backend_args})'
        )


def with_sound_condition(
    pipeline: list[dict], condition: str, seed: int = 0
) -> list[dict]:
    """Return a copy of a config pipeline that plays another sound.

    Args:
        pipeline: Transform configs, ``LoadAudio`` among them.
        condition: Text of a condition.
        seed: That of :class:`SoundCondition`.

    Returns:
        list[dict]: The pipeline with the condition right after
        ``LoadAudio``, in the place of one that was there.

    Raises:
        ValueError: If the condition is unknown or the pipeline loads no
            audio.
    """
    condition = parse_condition(condition).text
    pipeline = copy.deepcopy(list(pipeline))
    loaders = _positions(pipeline, LoadAudio)
    if not loaders:
        raise ValueError(
            'a sound condition needs LoadAudio in the pipeline, got '
            f'{[step["type"] for step in pipeline]}'
        )
    present = _positions(pipeline, SoundCondition)
    if present:
        pipeline[present[0]].update(condition=condition, seed=seed)
    else:
        backend_args = pipeline[loaders[0]].get('backend_args')
        pipeline.insert(
            loaders[0] + 1,
            dict(
                type='SoundCondition',
                condition=condition,
                seed=seed,
                backend_args=backend_args,
            ),
        )
    return pipeline


def _positions(pipeline: list[dict], transform: type) -> list[int]:
    """Find a transform by class, name, or name with a scope."""
    return [
        i
        for i, step in enumerate(pipeline)
        if type_name(step) == transform.__name__
    ]
