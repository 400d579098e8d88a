"""What happens in a video, in one picture."""

import sys
from fractions import Fraction

import numpy as np
import pytest

from mmavs.functional.log_mel import MIN_SAMPLES, vggish_log_mel
from mmavs.visualization import Timeline
from mmavs.visualization.overlay import PREDICTION_COLOUR
from mmavs.visualization.timeline_figure import count_fitting
from mmavs.visualization.timeline_panels import (
    UNCERTAINTY_COLOUR,
    format_time,
)

SIZE = (36, 64)
LOUD, QUIET = 3.0, -4.6
SILENCE = np.full((96, 64), QUIET, dtype=np.float32)


def frame(grey=120, size=SIZE):
    return np.full((*size, 3), grey, dtype=np.uint8)


def mask_of(share, size=SIZE, label=1):
    """The upper part of a mask, in whole rows."""
    mask = np.zeros(size, dtype=np.uint8)
    mask[: round(share * size[0])] = label
    return mask


def add_seconds(timeline, count, share=0.5, log_mel=SILENCE, **kwargs):
    for k in range(1, count + 1):
        timeline.add(k - 1 / 16, frame(), mask_of(share), log_mel, **kwargs)


def columns(picture, colour, tolerance=0):
    """Columns of the picture that have a pixel of a colour."""
    distance = np.abs(picture.astype(int) - colour).max(-1)
    return np.nonzero((distance <= tolerance).any(0))[0]


def drawn_means(timeline, monkeypatch):
    """The curves and frames that go into the picture."""
    got = {}

    def draw(frames, curves, *args):
        got.update(frames=frames, curves=curves)
        return frame()

    module = sys.modules['mmavs.visualization.timeline']
    with monkeypatch.context() as patch:
        patch.setattr(module, 'draw_timeline', draw)
        timeline.draw()
    return got['frames'], got['curves']


# --- what is drawn over time ------------------------------------------------


def test_published_frames_stand_for_their_second(monkeypatch):
    """Frame k, at k - 1/16 s, for [k - 1, k], and so does its sound."""
    timeline = Timeline()
    for k in range(1, 5):
        # Loud in its first half only.
        log_mel = SILENCE.copy()
        log_mel[:48] = k
        uncertainty = np.full(SIZE, k / 100)
        timeline.add(k - 1 / 16, frame(), mask_of(k / 9), log_mel, uncertainty)
    frames, curves = drawn_means(timeline, monkeypatch)
    assert [f.time_s for f in frames] == [0.9375, 1.9375, 2.9375, 3.9375]
    assert curves.end_s == 4
    seconds = (curves.edges_s[:-1] + 1e-9).astype(int)
    assert np.bincount(seconds).tolist() == [100] * 4
    expected = (seconds + 1) / 9
    np.testing.assert_allclose(curves.shares[:, 0], expected)
    np.testing.assert_allclose(curves.uncertainty, (seconds + 1) / 100)
    loud = (curves.log_mel == seconds[:, None] + 1).all(1)
    assert np.abs(loud.reshape(4, 100).sum(1) - 50).max() <= 2
    assert loud.reshape(4, 100)[:, :45].all()


@pytest.mark.parametrize('duration_s', [0.7, 1.0, 1.6])
def test_the_last_second_may_be_another(monkeypatch, duration_s):
    timeline = Timeline()
    add_seconds(timeline, 2)
    timeline.add(
        2.9375, frame(), mask_of(1), SILENCE, None, duration_s=duration_s
    )
    _, curves = drawn_means(timeline, monkeypatch)
    assert curves.end_s == pytest.approx(2 + duration_s)
    assert (curves.shares[:200] == 0.5).all()
    assert (curves.shares[200:] == 1).all()
    heard = np.isfinite(curves.log_mel[:, 0])
    assert heard.sum() == round(100 * min(3, 2 + duration_s))


@pytest.mark.parametrize('rate', [5, 16, 25, 30])
def test_sound_of_frames_at_their_own_time(monkeypatch, rate):
    """Patches around each frame put together are the sound itself."""
    waveform = np.random.default_rng(0).normal(size=3 * 16000) * 0.001
    # A click every half second, from 0.25 s on.
    waveform[4000::8000] = 1.0
    timeline = Timeline()
    for i in range(3 * rate):
        start = round(i / rate * 16000) - MIN_SAMPLES // 2
        start = min(max(0, start), len(waveform) - MIN_SAMPLES)
        patch = vggish_log_mel(waveform[start : start + MIN_SAMPLES])[0]
        timeline.add(i / rate, frame(), mask_of(0), patch, None, 1 / rate)
    _, curves = drawn_means(timeline, monkeypatch)
    assert np.isfinite(curves.log_mel).all()
    assert len(curves.log_mel) == 300
    middles = (curves.edges_s[:-1] + curves.edges_s[1:]) / 2
    clicks = middles[curves.log_mel.mean(1) > -1.5]
    nearest = np.abs(clicks[:, None] - np.arange(0.25, 3, 0.5))
    # A click is seen by the windows of 25 ms around it. The last patches are
    # those of the end of the sound, whose time is known to within a frame.
    late = clicks > 2.5
    assert nearest[~late].min(1).max() < 0.03
    assert nearest[late].min(1).max() < 0.03 + 1 / rate
    assert (nearest.min(0)[:5] < 0.01).all()
    assert late.any()


def test_a_slow_sequence_shows_what_was_heard(monkeypatch):
    """A patch of 0.975 s every 2 s, around the frame; else nothing."""
    timeline = Timeline()
    for i in range(4):
        patch = SILENCE + 0.01 * i
        timeline.add(2.0 * i, frame(), mask_of(0.5), patch, None, 2.0)
    _, curves = drawn_means(timeline, monkeypatch)
    assert np.isfinite(curves.shares).all() and curves.end_s == 8
    heard = curves.edges_s[:-1][np.isfinite(curves.log_mel[:, 0])]
    distance = heard[:, None] - np.array([0.4875, 2, 4, 6])
    assert np.abs(distance).min(1).max() < 0.5
    assert len(heard) == pytest.approx(4 * 97.5, abs=4)


def test_silence_goes_on(monkeypatch):
    """Equal patches are one and the same only where something sounds."""
    timeline = Timeline()
    for i in range(40):
        timeline.add(i / 5, frame(), mask_of(0), SILENCE, None, 0.2)
    _, curves = drawn_means(timeline, monkeypatch)
    assert (curves.log_mel == np.float64(np.float32(QUIET))).all()


def test_nothing_is_made_up_in_a_gap(monkeypatch):
    timeline = Timeline()
    for time_s in (0.0, 0.1, 5.0, 5.1):
        timeline.add(time_s, frame(), mask_of(0.5), SILENCE, None, 0.1)
    _, curves = drawn_means(timeline, monkeypatch)
    gap = np.isnan(curves.shares[:, 0])
    assert gap[20:500].all() and not gap[:20].any() and not gap[500:].any()
    assert np.isnan(curves.log_mel[gap]).all()


# --- frames -----------------------------------------------------------------


def test_frames_are_spread_evenly(monkeypatch):
    timeline = Timeline(max_frames=6)
    add_seconds(timeline, 600)
    frames, _ = drawn_means(timeline, monkeypatch)
    times = np.array([f.time_s for f in frames])
    wanted = (np.arange(6) + 0.5) * 100
    assert np.abs(times - wanted).max() < 20


def test_all_frames_of_a_short_video(monkeypatch):
    timeline = Timeline(max_frames=6)
    add_seconds(timeline, 6)
    frames, _ = drawn_means(timeline, monkeypatch)
    assert len(frames) == 6


def test_room_is_bounded():
    """A thousand large frames take no more than a hundred."""
    timeline = Timeline(max_frames=3)
    image, mask = frame(size=(300, 800)), mask_of(0.5, (300, 800))
    for k in range(1, 1001):
        timeline.add(k - 1 / 16, image, mask, SILENCE)
    kept = timeline._frames
    assert 3 <= len(kept) <= 12
    assert all(f.image.shape == (180, 480, 3) for f in kept)
    assert all(f.mask.shape == (180, 480) for f in kept)


def test_frames_do_not_follow_the_buffer(monkeypatch):
    """A reader may reuse its arrays."""
    timeline = Timeline()
    image, patch = frame(50), SILENCE.copy()
    timeline.add(0.0, image, mask_of(0), patch, None, 0.1)
    image[:] = 200
    patch[:] = LOUD
    frames, curves = drawn_means(timeline, monkeypatch)
    assert (frames[0].image == 50).all() and (curves.log_mel < 0).all()


def test_flat_frames_are_fewer():
    assert count_fitting(16 / 9) >= 12
    assert count_fitting(8) < count_fitting(4) < 12
    assert count_fitting(1000) == 1


# --- the picture ------------------------------------------------------------


def test_the_picture_is_rgb_of_one_width():
    pictures = []
    for count in (1, 12, 100):
        timeline = Timeline()
        add_seconds(timeline, count)
        pictures.append(timeline.draw())
    for picture in pictures:
        assert picture.dtype == np.uint8 and picture.shape[2] == 3
    assert len({picture.shape[1] for picture in pictures}) == 1


def test_sound_stands_below_its_second():
    """Loud in second 3 of 4: the third quarter of the axis."""
    timeline = Timeline()
    for k in range(1, 5):
        log_mel = SILENCE + (LOUD - QUIET) * (k == 3)
        timeline.add(k - 1 / 16, frame(), mask_of(0), log_mel)
    picture = timeline.draw()
    # Black, the quietest colour of the map, over the other seconds.
    lower = picture[-260:-100]
    quiet = (lower.astype(int).sum(-1) < 15).mean(0) > 0.5
    left, right = np.nonzero(quiet)[0][[0, -1]]
    width = right + 1 - left
    loud = np.nonzero(~quiet[left : right + 1])[0]
    # The lines of the frames are thin.
    loud = loud[(loud > 0.49 * width) & (loud < 0.8 * width)]
    assert loud.min() == pytest.approx(width / 2, abs=4)
    assert loud.max() == pytest.approx(width * 3 / 4, abs=4)


def test_colours_of_the_curves():
    line = np.array(UNCERTAINTY_COLOUR)
    timeline = Timeline()
    add_seconds(timeline, 4)
    without = timeline.draw()
    assert len(columns(without, PREDICTION_COLOUR)) > 1000
    assert len(columns(without, line)) == 0
    timeline = Timeline()
    add_seconds(timeline, 4, uncertainty=np.full(SIZE, 0.1))
    with_it = timeline.draw()
    assert len(columns(with_it, line)) > 1000
    assert with_it.shape[0] > without.shape[0]


def test_area_is_a_share_of_the_panel():
    """Half of the picture sounds in the second half of the time."""
    timeline = Timeline()
    for k in range(1, 5):
        share = 0.5 * (k > 2)
        timeline.add(k - 1 / 16, frame(), mask_of(share), SILENCE)
    picture = timeline.draw()
    # Below the frames, whose contours have the same colour.
    black = picture.astype(int).sum(-1) < 15
    sound = np.nonzero(black.mean(1) > 0.6)[0]
    panel = picture[sound.min() - 240 : sound.min() - 30]
    filled = np.abs(panel.astype(int) - (241, 202, 115)).max(-1) < 6
    covered = np.nonzero(filled.mean(0) > 0.5)[0]
    assert len(covered) > 500
    axis = np.nonzero(black[sound].mean(0) > 0.9)[0]
    middle = (axis[0] + axis[-1]) / 2
    assert covered.min() == pytest.approx(middle, abs=5)
    assert covered.max() == pytest.approx(axis[-1], abs=5)


def test_masks_are_drawn_over_the_frames():
    plain, marked = Timeline(), Timeline()
    add_seconds(plain, 3, share=0)
    add_seconds(marked, 3, share=0.5)
    # Grey 120 under a translucent fill.
    tint = 0.45 * np.array(PREDICTION_COLOUR) + 0.55 * 120
    assert len(columns(plain.draw(), tint, 2)) == 0
    assert len(columns(marked.draw(), tint, 2)) > 300


CLASSES = ('background', 'dog', 'violin', 'emergency-car')
PALETTE = [(0, 0, 0), (200, 0, 0), (0, 0, 200), (0, 200, 0)]


def test_classes_in_their_colours(monkeypatch):
    timeline = Timeline(CLASSES, PALETTE)
    for k in range(1, 4):
        mask = mask_of(1 / 3, label=1)
        mask[-9:] = 2
        timeline.add(k - 1 / 16, frame(), mask, SILENCE)
    _, curves = drawn_means(timeline, monkeypatch)
    np.testing.assert_allclose(curves.shares, [[1 / 3, 1 / 4, 0]] * 300)
    picture = timeline.draw()
    assert len(columns(picture, PALETTE[1])) > 1000
    assert len(columns(picture, PALETTE[2])) > 1000
    # What nowhere sounds is neither drawn nor explained.
    assert len(columns(picture, PALETTE[3])) == 0


def test_many_classes_are_added_up():
    """The legend stays as high as the panel; the picture is drawn."""
    classes = ['background', *(f'$class {c} ' * 9 for c in range(70))]
    palette = [(0, 3 * c, 250 - 3 * c) for c in range(71)]
    timeline = Timeline(classes, palette)
    mask = (np.arange(SIZE[0] * SIZE[1]) % 71).astype(np.uint8)
    timeline.add(0.9375, frame(), mask.reshape(SIZE), SILENCE)
    picture = timeline.draw()
    right = picture[:, -20:]
    # Names are cut before the edge.
    assert (right == 255).all()


@pytest.mark.parametrize(
    'size', [(36, 64), (64, 36), (9, 300), (300, 9), (1, 1)]
)
def test_frames_of_any_shape(size):
    timeline = Timeline()
    for k in range(1, 13):
        timeline.add(k - 1 / 16, frame(size=size), mask_of(1, size), SILENCE)
    picture = timeline.draw()
    assert 500 < picture.shape[0] < 1000


def test_pixels_that_are_not_square():
    """A frame of 36 x 36 pixels that are twice as wide as high is wide."""
    widths = []
    for ratio in (1, Fraction(2, 1)):
        timeline = Timeline(sample_aspect_ratio=ratio)
        size = (36, 36)
        timeline.add(0.9375, frame(77, size), mask_of(0, size), SILENCE)
        widths.append(len(columns(timeline.draw()[40:300], (77, 77, 77))))
    assert widths[1] == pytest.approx(2 * widths[0], abs=3)


def test_titles_of_any_kind():
    heights = set()
    for title in ('a', r'$\bad{$_1', 'ü 猫 \n' * 99):
        timeline = Timeline(title=title)
        add_seconds(timeline, 2)
        picture = timeline.draw()
        heights.add(picture.shape[0])
        # Cut before the edge.
        assert (picture[:60, -30:] == 255).all()
        assert (picture[:60] < 100).any()
    assert len(heights) == 1


def test_everything_sounds_and_nothing_sounds():
    pictures = []
    for share in (0, 1):
        timeline = Timeline()
        add_seconds(timeline, 3, share=share)
        pictures.append(timeline.draw())
    silent, loud = (columns(x, PREDICTION_COLOUR) for x in pictures)
    assert len(silent) == 0 and len(loud) > 1000


def test_drawing_changes_nothing():
    timeline = Timeline()
    add_seconds(timeline, 3)
    first = timeline.draw()
    assert np.array_equal(first, timeline.draw())
    timeline.add(3.9375, frame(), mask_of(0), SILENCE)
    assert not np.array_equal(first, timeline.draw())


@pytest.mark.parametrize(
    ('time_s', 'span_s', 'expected'),
    [
        (2.5, 10, '2.5'),
        (59, 59.9, '59'),
        (0, 60, '0:00'),
        (59.9, 70, '1:00'),
        (605, 3599, '10:05'),
        (605, 3600, '0:10:05'),
        (36000, 40000, '10:00:00'),
    ],
)
def test_how_times_are_written(time_s, span_s, expected):
    assert format_time(time_s, span_s) == expected


def test_exact_times():
    assert format_time(0.9375, 10, exact=True) == '0.94 s'
    assert format_time(61.9, 100, exact=True) == '1:02'


# --- what is wrong ----------------------------------------------------------


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(image=frame()[..., :1]), r'image must be .*\(36, 64, 1\)'),
        (dict(image=frame() / 255), 'image must be .* float64'),
        (dict(mask=mask_of(1, (36, 60))), r'mask .*\(36, 64\).*\(36, 60\)'),
        (dict(mask=mask_of(1) * 255), 'classes below 2, got 255'),
        (dict(log_mel=SILENCE[None]), r'\(96, 64\), got \(1, 96, 64\)'),
        (dict(uncertainty=np.zeros((3, 4))), r'uncertainty .*\(3, 4\)'),
        (dict(time_s=-0.5), 'time_s must be 0 or more .*-0.5'),
        (dict(time_s=float('nan')), 'time_s must be 0 or more .*nan'),
        (dict(duration_s=0.0), 'duration_s more than 0.* 0.0'),
        (dict(duration_s=float('inf')), 'duration_s more than 0.* inf'),
        (dict(time_s=1.0), r'ascend, got 1.0 s after 1.0 s'),
    ],
)
def test_what_is_no_frame(changes, message):
    timeline = Timeline()
    given = dict(time_s=1.0, image=frame(), mask=mask_of(0.5), log_mel=SILENCE)
    timeline.add(**given)
    with pytest.raises(ValueError, match=message):
        timeline.add(**{**given, 'time_s': 2.0, **changes})


def test_a_refused_frame_leaves_no_trace(monkeypatch):
    timeline = Timeline()
    add_seconds(timeline, 2)
    with pytest.raises(ValueError, match='classes below 2'):
        timeline.add(50.0, frame(), mask_of(1, label=7), SILENCE)
    frames, curves = drawn_means(timeline, monkeypatch)
    assert len(frames) == 2 and curves.end_s == 2


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(classes=('background',)), 'two or more'),
        (dict(classes=CLASSES), 'each of 4 classes, got 0'),
        (dict(classes=CLASSES, palette=PALETTE[:3]), 'classes, got 3'),
        (dict(max_frames=0), 'max_frames must be 1 or more, got 0'),
    ],
)
def test_what_is_no_timeline(kwargs, message):
    with pytest.raises(ValueError, match=message):
        Timeline(**kwargs)


def test_nothing_was_added():
    with pytest.raises(ValueError, match='at least one frame'):
        Timeline().draw()
