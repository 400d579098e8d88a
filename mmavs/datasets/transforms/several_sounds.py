"""One clip with several sounds, its frames loaded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose
from mmseg.registry import TRANSFORMS

from mmavs.config_types import type_name
from mmavs.datasets.sound_conditions import parse_condition
from mmavs.datasets.transforms.sound_condition import with_sound_condition


@TRANSFORMS.register_module()
class SeveralSounds(BaseTransform):
    """End a pipeline once for each sound condition.

    What the clip is packed to comes from the first condition; of the others
    only the log-mel is kept, so that frames and masks are there once.

    Required keys: those of the pipelines.

    Returns of ``transform``:
        dict: ``inputs`` and ``data_samples`` of the first condition;
        ``log_mels``, ``audio_keys`` and ``heard``, each a dict by condition.
        ``heard`` is False where the clip has no other clip to take the
        condition's sound from; it then has its own.

    Shapes:
        - log_mels: each (T, 1, 96, 64) float32.

    Args:
        pipelines (dict): Condition -> the transforms that come after
            ``LoadAudio``, ``SoundCondition`` among them. The first is one
            that every clip has, ``matched``.
    """

    def __init__(self, pipelines: Mapping[str, Sequence[dict]]) -> None:
        self.pipelines = {
            parse_condition(name): Compose(steps)
            for name, steps in pipelines.items()
        }

    def transform(self, results: dict) -> dict:
        """Pack one clip.

        Args:
            results: Results of the clip, with ``waveform``.

        Returns:
            dict: See the class.
        """
        paired = results.get('paired_audio_paths', {})
        packed = {}
        for condition, pipeline in self.pipelines.items():
            if condition.relation is None or condition.relation in paired:
                # Steps replace what a dict names, not what it is made of.
                packed[condition.text] = pipeline(dict(results))
        own = next(iter(packed.values()))
        sounds = {c.text: packed.get(c.text, own) for c in self.pipelines}
        return dict(
            own,
            log_mels={k: p['inputs']['log_mel'] for k, p in sounds.items()},
            audio_keys={
                k: p['data_samples'].get('audio_key')
                for k, p in sounds.items()
            },
            heard={k: k in packed for k in sounds},
        )

    def __repr__(self) -> str:
        names = [condition.text for condition in self.pipelines]
        return f'{self.__class__.__name__}(conditions={names})'


def with_several_sounds(
    pipeline: Sequence[dict], conditions: Sequence[str], seed: int = 0
) -> list[dict]:
    """Return a copy of a config pipeline that plays several sounds.

    Args:
        pipeline: Transform configs, ``LoadAudio`` among them.
        conditions: Texts of conditions, ``matched`` first.
        seed: That of ``SoundCondition``.

    Returns:
        list[dict]: What comes before the sound condition once, the rest of
        the pipeline in ``SeveralSounds`` for each condition, as
        ``with_sound_condition`` makes it.

    Raises:
        ValueError: If a condition is unknown or the pipeline loads no audio.
    """
    changed = {
        condition: with_sound_condition(pipeline, condition, seed)
        for condition in conditions
    }
    first = changed[conditions[0]]
    start = [type_name(step) for step in first].index('SoundCondition')
    return [
        *first[:start],
        dict(
            type='SeveralSounds',
            pipelines={k: steps[start:] for k, steps in changed.items()},
        ),
    ]
