"""Sound conditions: what is played to a clip to see whether a model listens.

A condition is written ``NAME`` or ``NAME@PARAMETER``:

=====================  ====================================================
matched                the clip's own sound
twin                   that of the clip with the same frames in which other
                       objects sound
swapped                that of a clip with nothing that is seen in this one
same_class             that of another clip in which the same sounds: the
                       control
silence                zeros
white_noise,           noise of RMS 0.1 in the place of the sound
pink_noise
white_noise@10dB,      the own sound and noise, at a signal-to-noise ratio
pink_noise@-5dB        over the whole clip
off_screen@0dB         the own sound and that of the swapped clip, at a ratio
shift@+1s, shift@-2s   the own sound later or earlier; what leaves at one end
                       enters at the other
shuffle                the 0.96 s of every frame at the place of another one
=====================  ====================================================
"""

from mmavs.datasets.sound_conditions.condition import (
    PAIRED_RELATIONS,
    TRUTH,
    Condition,
    parse_condition,
)
from mmavs.datasets.sound_conditions.played_sound import (
    NOISE_RMS,
    SOUND_CONDITIONS,
    condition_rng,
)

__all__ = [
    'NOISE_RMS',
    'PAIRED_RELATIONS',
    'SOUND_CONDITIONS',
    'TRUTH',
    'Condition',
    'condition_rng',
    'parse_condition',
]
