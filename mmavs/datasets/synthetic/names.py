"""Names of clips, with the traps of the real ones."""

import string

from .randomness import clip_rng
from .subsets import SUBSETS

__all__ = ['draw_name']

_ID_ALPHABET = string.ascii_letters + string.digits + '-_'


def draw_name(seed, subset, split, index):
    """Draw a name as YouTube's, with the traps of the real ones.

    In every split clip 0 of every eight starts with '-', clip 1 with
    '_'; but in S4 the video of clip 2 is all digits, with a leading zero, as
    no number must be made of it.

    Args:
        seed (int): seed of the set.
        subset (str): a key of :data:`subsets.SUBSETS`.
        split (str): ``train``, ``val`` or ``test``.
        index (int): position in the split of the subset.

    Returns:
        tuple[str, str, int]: the imaginary video, the clip, and the second
        of the video at which it starts.
    """
    kind = SUBSETS[subset]
    rng = clip_rng(seed, subset, split, index, 'name')
    source = ''.join(
        _ID_ALPHABET[i] for i in rng.integers(len(_ID_ALPHABET), size=11)
    )
    start_s = int(rng.integers(0, 60)) * 5
    trap = index % 8
    if trap < 2:
        source = '-_'[trap] + source[1:]
    elif trap == 2 and kind.digit_ids:
        source = '0' + ''.join(str(i) for i in rng.integers(10, size=10))
    video_id = source
    if kind.timed_ids:
        end_s = start_s + kind.layout.num_frames[subset]
        video_id = f'{source}_{start_s * 1000}_{end_s * 1000}'
    return source, video_id, start_s
