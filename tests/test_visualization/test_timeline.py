"""What happens in a video, in one picture."""

import sys
from fractions import Fraction

import numpy as np
import pytest

from mmavs.functional.log_mel import MIN_SAMPLES, vggish_log_mel
from mmavs.visualization import Timeline
from mmavs.visualization.overlay import PREDICTION_COLOUR
from mmavs.visualization.timeline_figure import (
    DPI,
    LEFT,
    RIGHT,
    WIDTH,
    count_fitting,
)
from mmavs.visualization.timeline_panels import (
    GAP_COLOUR,
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


def add_second(
    timeline, k, mask, log_mel=SILENCE, image=None, uncertainty=None
):
    """Frame k = 1, 2, ... of the published times: second k, and its patch."""
    timeline.add(
        frame(size=mask.shape) if image is None else image,
        mask,
        start_s=k - 1,
        end_s=k,
        time_s=k - 1 / 16,
        heard={k - 1: log_mel},
        uncertainty=uncertainty,
    )


def add_seconds(timeline, count, share=0.5, **kwargs):
    for k in range(1, count + 1):
        add_second(timeline, k, mask_of(share), **kwargs)


def add_from(
    timeline, start_s, end_s, mask=None, log_mel=SILENCE, sound_s=None
):
    """A frame at its own time, with a patch that begins there."""
    timeline.add(
        frame(),
        mask_of(0.5) if mask is None else mask,
        start_s=start_s,
        end_s=end_s,
        time_s=start_s,
        heard={start_s if sound_s is None else sound_s: log_mel},
    )


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


def middles(curves):
    return (curves.edges_s[:-1] + curves.edges_s[1:]) / 2


def test_frames_stand_for_their_stretch(monkeypatch):
    """Frame k, at k - 1/16 s, for [k - 1, k]."""
    timeline = Timeline()
    for k in range(1, 5):
        uncertainty = np.full(SIZE, k / 100)
        add_second(timeline, k, mask_of(k / 9), uncertainty=uncertainty)
    frames, curves = drawn_means(timeline, monkeypatch)
    assert [f.time_s for f in frames] == [0.9375, 1.9375, 2.9375, 3.9375]
    assert curves.end_s == 4
    seconds = (curves.edges_s[:-1] + 1e-9).astype(int)
    assert np.bincount(seconds).tolist() == [100] * 4
    np.testing.assert_allclose(curves.shares[:, 0], (seconds + 1) / 9)
    np.testing.assert_allclose(curves.uncertainty, (seconds + 1) / 100)


@pytest.mark.parametrize('end_s', [2.7, 2.713, 3.0, 3.6])
def test_the_time_ends_with_the_last_frame(monkeypatch, end_s):
    """Not with its patch, of which the rest is not drawn."""
    timeline = Timeline()
    add_seconds(timeline, 2)
    add_from(timeline, 2.0, end_s, mask_of(1))
    _, curves = drawn_means(timeline, monkeypatch)
    assert curves.end_s == end_s
    shares = curves.shares[:, 0]
    assert (shares[:200] == 0.5).all() and (shares[200:] == 1).all()
    assert len(shares) == round(100 * end_s)
    heard = middles(curves)[np.isfinite(curves.log_mel[:, 0])]
    assert heard[-1] == pytest.approx(min(2.975, end_s), abs=0.01)


def test_the_time_of_a_long_video_ends_with_it(monkeypatch):
    """Also within one of its bins, 1.28 s wide."""
    timeline = Timeline()
    for k in range(3000):
        add_from(timeline, k, k + 1)
    for end_s in (3000.6, 3000.7, 3001.9):
        add_from(timeline, end_s - 0.5, end_s)
        frames, curves = drawn_means(timeline, monkeypatch)
        assert np.diff(curves.edges_s)[0] == 1.28
        assert curves.end_s == end_s and np.diff(curves.edges_s).min() > 0.6
        assert frames[-1].time_s < end_s


def test_rows_stand_at_the_middles_of_their_windows(monkeypatch):
    timeline = Timeline()
    log_mel = np.repeat(np.arange(96.0)[:, None], 64, axis=1)
    add_from(timeline, 0.0, 2.0, log_mel=log_mel, sound_s=0.5)
    _, curves = drawn_means(timeline, monkeypatch)
    heard = np.nonzero(np.isfinite(curves.log_mel[:, 0]))[0]
    # The outermost windows, of 25 ms, fill a bin more.
    assert heard.tolist() == list(range(50, 148))
    assert curves.log_mel[50, 7] == 0 and curves.log_mel[147, 7] == 95
    # Windows 10 ms apart; bins of 10 ms.
    inner = heard[1:-1]
    expected = 0.5 + 0.01 * curves.log_mel[inner, 7] + 0.0125
    distances = np.abs(middles(curves)[inner] - expected)
    assert distances.max() <= 0.005 + 1e-9


def test_wide_bins_are_not_widened(monkeypatch):
    """Of a sound every 10 s: a bin holds several windows, and is enough."""
    timeline = Timeline()
    for k in range(40):
        add_from(timeline, 10.0 * k, 10.0 * k + 10)
    _, curves = drawn_means(timeline, monkeypatch)
    assert curves.edges_s[1] == 0.16
    heard = np.isfinite(curves.log_mel[:, 0])
    # Those that have the middle of one of 96 windows.
    windows = 10.0 * np.arange(40)[:, None] + 0.01 * np.arange(96) + 0.0125
    assert heard.sum() == len(np.unique(np.floor(windows / 0.16)))


def test_overlapping_patches_are_averaged(monkeypatch):
    timeline = Timeline()
    add_from(timeline, 0.0, 0.2, log_mel=SILENCE + 1)
    add_from(timeline, 0.2, 1.3, log_mel=SILENCE + 2)
    _, curves = drawn_means(timeline, monkeypatch)
    levels = curves.log_mel[:, 3] - QUIET
    np.testing.assert_allclose(levels[:20], 1, atol=1e-5)
    np.testing.assert_allclose(levels[22:96], 1.5, atol=1e-5)
    np.testing.assert_allclose(levels[98:118], 2, atol=1e-5)
    assert np.isnan(levels[118:]).all()


def test_what_several_windows_heard(monkeypatch):
    """A frame in two: the patch of each is drawn."""
    timeline = Timeline()
    heard = {0.0: SILENCE + 1, 0.5: SILENCE + 3}
    timeline.add(
        frame(), mask_of(1), start_s=0, end_s=2, time_s=0, heard=heard
    )
    _, curves = drawn_means(timeline, monkeypatch)
    levels = curves.log_mel[:, 3] - QUIET
    np.testing.assert_allclose(levels[:50], 1, atol=1e-5)
    np.testing.assert_allclose(levels[52:96], 2, atol=1e-5)
    np.testing.assert_allclose(levels[98:148], 3, atol=1e-5)
    assert np.isnan(levels[148:]).all()


CLICKS_S = np.array([0.3, 1.1, 2.55, 3.95, 5.05, 6.4, 7.33, 9.6])
SILENT_S = 4.9


def clicking(seconds=10):
    """Clicks of 3 ms, one of them between two windows of the published."""
    waveform = np.zeros(seconds * 16000)
    noise = np.random.default_rng(0).uniform(-1, 1, 48)
    for click_s in (*CLICKS_S, SILENT_S):
        start = round(click_s * 16000) - 24
        waveform[start : start + 48] = noise
    return waveform


def patches_of(waveform, starts):
    return [vggish_log_mel(waveform[i : i + MIN_SAMPLES])[0] for i in starts]


def published_timeline(waveform):
    """Windows of five seconds, with five patches of 0.96 s."""
    timeline = Timeline()
    starts = [
        16000 * second + 15360 * j
        for second in range(0, len(waveform) // 16000, 5)
        for j in range(5)
    ]
    for k, patch in enumerate(patches_of(waveform, starts)):
        add_from(timeline, k, k + 1, log_mel=patch, sound_s=starts[k] / 16000)
    return timeline


def own_time_timeline(waveform, rate):
    """Around every frame, but within the sound."""
    timeline = Timeline()
    times = [i / rate for i in range(len(waveform) * rate // 16000)]
    starts = [
        min(max(0, round(16000 * t) - 7800), len(waveform) - MIN_SAMPLES)
        for t in times
    ]
    for i, patch in enumerate(patches_of(waveform, starts)):
        add_from(
            timeline,
            times[i],
            (i + 1) / rate,
            log_mel=patch,
            sound_s=starts[i] / 16000,
        )
    return timeline


def assert_clicks(seen_s, clicks_s):
    """All of them in their places, and nothing else.

    A click is seen by the windows of 25 ms around it.
    """
    distances = np.abs(seen_s[:, None] - clicks_s)
    assert distances.min(1).max() < 0.025
    nearest = distances.argmin(1)
    for k, click_s in enumerate(clicks_s):
        assert seen_s[nearest == k].mean() == pytest.approx(click_s, abs=0.01)


def loud_times(curves):
    level = np.nan_to_num(curves.log_mel.mean(1), nan=QUIET)
    return middles(curves)[level > -3.5]


def test_sound_of_the_published_windows(monkeypatch):
    timeline = published_timeline(clicking())
    _, curves = drawn_means(timeline, monkeypatch)
    assert_clicks(loud_times(curves), CLICKS_S)
    # The last 0.2 s of a window are not heard.
    blank = middles(curves)[np.isnan(curves.log_mel[:, 0])]
    assert np.isnan(curves.log_mel[482:500]).all()
    assert (blank % 5 > 4.81).all()


@pytest.mark.parametrize('rate', [5, 10, 16, 30])
def test_sound_of_frames_at_their_own_time(monkeypatch, rate):
    """Patches around each frame put together are the sound itself."""
    timeline = own_time_timeline(clicking(), rate)
    _, curves = drawn_means(timeline, monkeypatch)
    assert len(curves.log_mel) == 1000
    assert np.isfinite(curves.log_mel).all()
    assert_clicks(loud_times(curves), np.append(CLICKS_S, SILENT_S))


@pytest.mark.parametrize('rate', [None, 10])
def test_clicks_in_the_picture(rate):
    """Coloured where all else of the panel is black, white or grey."""
    if rate is None:
        timeline, clicks_s = published_timeline(clicking()), CLICKS_S
    else:
        timeline = own_time_timeline(clicking(), rate)
        clicks_s = np.append(CLICKS_S, SILENT_S)
    picture = timeline.draw()
    panel = picture[-200:-110].astype(float)
    coloured = np.ptp(panel, axis=-1).mean(0) > 25
    left, right = LEFT * DPI, (WIDTH - RIGHT) * DPI
    at = np.nonzero(coloured)[0] + 0.5
    assert_clicks(10 * (at - left) / (right - left), clicks_s)


@pytest.mark.parametrize('rate', [None, 10])
def test_grey_is_what_was_not_heard(rate):
    """The last 0.2 s of the published windows; explained where it is."""
    if rate is None:
        picture = published_timeline(clicking()).draw()
    else:
        picture = own_time_timeline(clicking(), rate).draw()
    left, right = round(LEFT * DPI), round((WIDTH - RIGHT) * DPI)
    panel = picture[-200:-110, left:right]
    grey = round(255 * float(GAP_COLOUR))
    is_grey = (panel == grey).all(-1).mean(0) > 0.9
    at = 10 * (np.nonzero(is_grey)[0] + 0.5) / len(is_grey)
    # Below the axis, beside its label.
    has_legend = (picture[-50:, right - 150 : right] < 180).any()
    if rate is None:
        assert ((at % 5) > 4.81).all() and has_legend
        assert len(at) / len(is_grey) == pytest.approx(0.037, abs=0.003)
    else:
        assert not len(at) and not has_legend


def test_a_slow_sequence_shows_what_was_heard(monkeypatch):
    """A patch every 2 s, around the frame; else nothing."""
    timeline = Timeline()
    for i in range(4):
        start_s = 2.0 * i
        add_from(
            timeline, start_s, start_s + 2, sound_s=max(0, start_s - 0.4875)
        )
    _, curves = drawn_means(timeline, monkeypatch)
    assert np.isfinite(curves.shares).all() and curves.end_s == 8
    heard = middles(curves)[np.isfinite(curves.log_mel[:, 0])]
    distance = heard[:, None] - np.array([0.4875, 2, 4, 6])
    assert np.abs(distance).min(1).max() < 0.4876
    assert len(heard) == 4 * 98


def test_nothing_is_made_up_in_a_gap(monkeypatch):
    timeline = Timeline()
    for time_s in (0.0, 0.1, 5.0, 5.1):
        add_from(timeline, time_s, time_s + 0.1)
    _, curves = drawn_means(timeline, monkeypatch)
    gap = np.isnan(curves.shares[:, 0])
    assert gap[20:500].all() and not gap[:20].any()
    assert not gap[500:520].any()
    heard = np.isfinite(curves.log_mel[:, 0])
    assert not heard[110:500].any()
    assert heard[:100].all() and heard[500:].all() and len(heard) == 520


def test_hours_of_sound_are_averaged(monkeypatch):
    """Of wide bins every row counts, not one of them."""
    timeline = Timeline()
    log_mel = SILENCE.copy()
    log_mel[::2] = LOUD
    for second in range(4000):
        add_from(timeline, second, second + 1, log_mel=log_mel)
    _, curves = drawn_means(timeline, monkeypatch)
    assert len(curves.log_mel) <= 4096 and curves.edges_s[1] > 0.6
    mean = (LOUD + QUIET) / 2
    assert np.abs(curves.log_mel - mean).max() < 0.2


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


def test_frames_do_not_follow_the_buffer(monkeypatch):
    """A reader may reuse its arrays."""
    timeline = Timeline()
    image, patch = frame(50), SILENCE.copy()
    add_second(timeline, 1, mask_of(0), patch, image)
    image[:] = 200
    patch[:] = LOUD
    frames, curves = drawn_means(timeline, monkeypatch)
    assert (frames[0].image == 50).all() and not (curves.log_mel > 0).any()


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


def test_a_last_frame_behind_the_end():
    """At 2.94 s of a video of 2.7 s: its line ends at that of the axis."""
    timeline = Timeline()
    add_seconds(timeline, 2)
    timeline.add(
        frame(),
        mask_of(0),
        start_s=2.0,
        end_s=2.7,
        time_s=2.9375,
        heard={1.7: SILENCE},
    )
    picture = timeline.draw()
    right = round((WIDTH - RIGHT) * DPI)
    assert (picture[:, right + 3 :] == 255).all()
    assert (picture[:, right - 3 : right] < 255).any()


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
        add_second(timeline, k, mask_of(share))
    picture = timeline.draw()
    # Below the frames, whose contours have the same colour.
    panel = picture[-480:-270]
    filled = np.abs(panel.astype(int) - (241, 202, 115)).max(-1) < 6
    covered = np.nonzero(filled.mean(0) > 0.5)[0]
    assert len(covered) > 500
    left, right = LEFT * DPI, (WIDTH - RIGHT) * DPI
    assert covered.min() == pytest.approx((left + right) / 2, abs=5)
    assert covered.max() == pytest.approx(right, abs=5)


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
        add_second(timeline, k, mask)
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
    add_second(timeline, 1, mask.reshape(SIZE))
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
        add_second(timeline, k, mask_of(1, size))
    picture = timeline.draw()
    assert 500 < picture.shape[0] < 1000


def test_pixels_that_are_not_square():
    """A frame of 36 x 36 pixels that are twice as wide as high is wide."""
    widths = []
    for ratio in (1, Fraction(2, 1)):
        timeline = Timeline(sample_aspect_ratio=ratio)
        size = (36, 36)
        image = frame(77, size)
        add_second(timeline, 1, mask_of(0, size), image=image)
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


def test_a_smaller_line_below_the_title():
    pictures = []
    for lines in (
        {},
        dict(title='a dog'),
        dict(title='a dog', subtitle='sound: noise'),
        dict(title='a dog', subtitle='sound: noise' * 99),
    ):
        timeline = Timeline(**lines)
        add_seconds(timeline, 2)
        pictures.append(timeline.draw())
    heights = np.array([len(picture) for picture in pictures])
    assert np.diff(heights).tolist() == [42, 30, 0]
    title, both, long = (picture[:90] for picture in pictures[1:])
    # The title stays; below it there is a line in grey.
    np.testing.assert_array_equal(title[:55], both[:55])
    assert 70 < both[60:].min() < 110 and (title[60:70] == 255).all()
    # Cut before the edge.
    assert (long[:, -30:] == 255).all()


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
    add_second(timeline, 4, mask_of(0))
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
        (dict(heard={2: SILENCE[None]}), r'\(96, 64\), got \(1, 96, 64\)'),
        (dict(uncertainty=np.zeros((3, 4))), r'uncertainty .*\(3, 4\)'),
        (dict(time_s=-0.5), 'time_s must be 0 or more, got -0.5'),
        (dict(time_s=float('nan')), 'time_s must be 0 or more, got nan'),
        (dict(heard={-0.1: SILENCE}), 'heard .* 0 or more, got -0.1'),
        (dict(heard={float('inf'): SILENCE}), 'heard .*, got inf'),
        (dict(start_s=-1.0), 'start_s must be 0 or more .*-1.0 and 3.0'),
        (dict(start_s=3.0), 'less than end_s, got 3.0 and 3.0'),
        (dict(end_s=float('inf')), 'less than end_s, got 2.0 and inf'),
        (dict(time_s=1.0), 'time_s must ascend, got 1.0 after 1.0'),
    ],
)
def test_what_is_no_frame(changes, message):
    timeline = Timeline()
    arrays = dict(image=frame(), mask=mask_of(0.5), heard={1.0: SILENCE})
    times = dict(start_s=1.0, end_s=2.0, time_s=1.0)
    timeline.add(**arrays, **times)
    times = {name: value + 1 for name, value in times.items()}
    with pytest.raises(ValueError, match=message):
        timeline.add(**{**arrays, **times, **changes})


def test_a_refused_frame_leaves_no_trace(monkeypatch):
    timeline = Timeline()
    add_seconds(timeline, 2)
    with pytest.raises(ValueError, match='classes below 2'):
        add_second(timeline, 50, mask_of(1, label=7))
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
