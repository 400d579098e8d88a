"""What a clip sounds like: its own audio, another's, noise, or nothing."""

import copy
from collections.abc import Callable
from functools import partial

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmavs.datasets.transforms.load_audio import LoadAudio, load_waveform
from mmavs.functional.sounds import silence, white_noise

Load = Callable[[str], np.ndarray]


def matched_sound(results: dict, load: Load) -> np.ndarray:
    """Return the clip's own waveform."""
    return results['waveform']


def muted_sound(results: dict, load: Load) -> np.ndarray:
    """Return zero samples, as many as the clip's own waveform has."""
    return silence(len(results['waveform']))


def noise_sound(results: dict, load: Load) -> np.ndarray:
    """Return white noise, as long as the clip's own waveform."""
    return white_noise(len(results['waveform']))


def paired_sound(results: dict, load: Load, relation: str) -> np.ndarray:
    """Load the waveform of the clip that is paired by ``relation``."""
    paths = results.get('paired_audio_paths', {})
    if relation not in paths:
        raise ValueError(
            f'clip {results.get("video_id", "?")!r} has no {relation!r} '
            f'pair, only {sorted(paths)}: give the dataset a pairs_file, a '
            f'JSON file {{video_id: {{"{relation}": video_id}}}}'
        )
    return load(paths[relation])


# Conditions that need the pairs file of a dataset.
PAIRED_CONDITIONS = ('twin', 'swapped')

# name -> (results after LoadAudio, loader) -> waveform
SOUND_CONDITIONS: dict[str, Callable[[dict, Load], np.ndarray]] = dict(
    matched=matched_sound,
    silence=muted_sound,
    noise=noise_sound,
    **{
        name: partial(paired_sound, relation=name)
        for name in PAIRED_CONDITIONS
    },
)


def check_sound_condition(condition: str) -> None:
    """Raise a ValueError unless ``condition`` is a known name."""
    if condition not in SOUND_CONDITIONS:
        raise ValueError(
            f'sound condition must be one of {sorted(SOUND_CONDITIONS)}, '
            f'got {condition!r}'
        )


@TRANSFORMS.register_module()
class SoundCondition(BaseTransform):
    """Replace the waveform of a clip, to test whether a model listens.

    Comes right after ``LoadAudio``, so every condition passes through the
    same front end. Another condition is one more function in
    ``SOUND_CONDITIONS``.

    Required keys: ``waveform``, ``sample_rate_hz``; ``paired_audio_paths``
    for 'twin' and 'swapped'.
    Changed key: ``waveform``. Added keys: ``sound_condition``, and
    ``played_audio_path`` if another file was loaded.

    Args:
        condition (str): 'matched' keeps the clip's own audio, 'silence'
            mutes it, 'noise' puts white noise in its place, the same for
            every clip, 'twin' and 'swapped' take the audio of the clip that
            the dataset's pairs file names. Defaults to 'matched'.
        backend_args (dict, optional): Arguments of the file backend.

    Raises:
        ValueError: If the condition is unknown or the clip has no such
            pair.
    """

    def __init__(
        self, condition: str = 'matched', backend_args: dict | None = None
    ) -> None:
        check_sound_condition(condition)
        self.condition = condition
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Replace ``results['waveform']``.

        Args:
            results: Results of the clip.

        Returns:
            dict: The same results with the waveform of the condition.
        """

        if 'waveform' not in results:
            raise ValueError(
                f'clip {results.get("video_id", "?")!r} came as a log-mel: '
                "a sound condition needs waveforms, LoadAudio(source='wav')"
            )

        def load(path: str) -> np.ndarray:
            results['played_audio_path'] = path
            return load_waveform(
                path, results['sample_rate_hz'], self.backend_args
            )

        results['waveform'] = SOUND_CONDITIONS[self.condition](results, load)
        results['sound_condition'] = self.condition
        return results

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(condition={self.condition!r}, '
            f'backend_args={self.backend_args})'
        )


def with_sound_condition(pipeline: list[dict], condition: str) -> list[dict]:
    """Return a copy of a config pipeline that plays another sound.

    Args:
        pipeline: Transform configs, ``LoadAudio`` among them.
        condition: A name in ``SOUND_CONDITIONS``.

    Returns:
        list[dict]: The pipeline with the condition right after
        ``LoadAudio``, in the place of one that was there.

    Raises:
        ValueError: If the condition is unknown or the pipeline loads no
            audio.
    """
    check_sound_condition(condition)
    pipeline = copy.deepcopy(list(pipeline))
    loaders = _positions(pipeline, LoadAudio)
    if not loaders:
        raise ValueError(
            'a sound condition needs LoadAudio in the pipeline, got '
            f'{[step["type"] for step in pipeline]}'
        )
    present = _positions(pipeline, SoundCondition)
    if present:
        pipeline[present[0]]['condition'] = condition
    else:
        backend_args = pipeline[loaders[0]].get('backend_args')
        pipeline.insert(
            loaders[0] + 1,
            dict(
                type='SoundCondition',
                condition=condition,
                backend_args=backend_args,
            ),
        )
    return pipeline


def _positions(pipeline: list[dict], transform: type) -> list[int]:
    """Find a transform by class, name, or name with a scope."""
    return [
        i
        for i, step in enumerate(pipeline)
        if step['type'] is transform
        or str(step['type']).split('.')[-1] == transform.__name__
    ]
