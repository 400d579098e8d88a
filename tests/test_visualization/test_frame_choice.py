"""Some frames of a video, evenly spread."""

import numpy as np
import pytest

from mmavs.visualization.frame_choice import FrameChoice


def fill(choice, times_s, size=(4, 6)):
    for number, time_s in enumerate(times_s):
        image = np.full((*size, 3), number % 256, dtype=np.uint8)
        choice.add(time_s, image, np.zeros(size, dtype=np.uint8))


def times_of(frames):
    return np.array([frame.time_s for frame in frames])


@pytest.mark.parametrize('count', [1, 3, 6])
@pytest.mark.parametrize('step_s', [0.04, 1.0, 7.3])
def test_frames_are_spread_evenly(count, step_s):
    choice, end_s = FrameChoice(6), 1000 * step_s
    fill(choice, step_s * np.arange(1000))
    times = times_of(choice.spread(count, end_s))
    wanted = (np.arange(count) + 0.5) / count * end_s
    # 12 at least are kept, so the next one is not far.
    assert np.abs(times - wanted).max() <= end_s / 24 * 1.2


def test_all_of_a_few():
    choice = FrameChoice(6)
    fill(choice, [0.1, 0.2, 90])
    frames = choice.spread(6, 100)
    assert times_of(frames).tolist() == [0.1, 0.2, 90]
    assert [frame.image[0, 0, 0] for frame in frames] == [0, 1, 2]


def test_room_is_bounded():
    """A thousand large frames take no more than a hundred."""
    choice = FrameChoice(3)
    fill(choice, range(1000), size=(300, 800))
    kept = choice.spread(1000, 1000)
    assert 6 <= len(kept) <= 12
    assert all(frame.image.shape == (180, 480, 3) for frame in kept)
    assert all(frame.mask.shape == (180, 480) for frame in kept)
    assert choice.aspect == 800 / 300


def test_the_first_frame_is_kept():
    choice = FrameChoice(2)
    fill(choice, range(5000))
    assert choice.spread(9, 5000)[0].time_s == 0
