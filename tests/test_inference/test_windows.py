"""Windows: which frames, and which sound goes with them."""

from __future__ import annotations

import itertools
import weakref
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmavs.datasets.videos import AudioStretch, VideoFrame
from mmavs.functional.log_mel import vggish_log_mel
from mmavs.inference.merging import WindowPrediction, merge_windows
from mmavs.inference.patch_reader import PatchReader
from mmavs.inference.recordings.array_recording import ArraySound
from mmavs.inference.windows import (
    Window,
    batch_windows,
    cut_windows,
    own_time_windows,
    published_windows,
)
from mmavs.structures import ClipPrediction

PATCH = 15600
RATE_HZ = 16000


@st.composite
def cuts(draw):
    length = draw(st.integers(1, 8))
    return draw(st.integers(0, 40)), length, draw(st.integers(0, length - 1))


@given(cuts())
def test_windows_cover_every_frame_in_order_and_are_full(cut):
    count, length, overlap = cut
    windows = list(cut_windows(range(count), length, overlap))
    for first, items in windows:
        assert items == tuple(range(first, first + min(length, count)))
    starts = [first for first, _ in windows]
    steps = np.diff(starts)
    # All as far apart as they should be, but for the last one.
    assert (steps[:-1] == length - overlap).all()
    assert ((0 < steps) & (steps <= length - overlap)).all()
    assert starts[:1] == [0][:count]
    if count:
        assert starts[-1] == max(count - length, 0)
    # None is there in vain.
    if len(windows) > 1:
        assert starts[-2] + length < count


@pytest.mark.parametrize(
    ('overlap', 'match'),
    [
        (5, 'less than the 5 frames of a window, got 5'),
        (6, 'less than the 5 frames of a window, got 6'),
        (-1, 'overlap must be a whole number, 0 or more, got -1'),
        (1.5, 'overlap must be a whole number, 0 or more, got 1.5'),
        (True, 'overlap must be a whole number, 0 or more, got True'),
        ('1', "overlap must be a whole number, 0 or more, got '1'"),
    ],
)
def test_overlap_out_of_range(overlap, match):
    with pytest.raises(ValueError, match=match):
        next(cut_windows(range(9), 5, overlap))


@pytest.mark.parametrize('batch_size', [0, 1.5, True, None])
def test_batch_size_out_of_range(batch_size):
    windows = iter([Window(0, (), np.empty(0))])
    with pytest.raises(ValueError, match='batch_size must.*1 or more, got'):
        next(batch_windows(windows, batch_size))
    assert list(windows)  # not one was taken


def test_numbers_of_numpy_are_numbers():
    windows = [first for first, _ in cut_windows(range(9), 5, np.int64(1))]
    assert windows == [0, 4]


def test_batches_hold_one_length():
    def windows(count):
        return (
            Window(first, items, np.zeros(len(items)))
            for first, items in cut_windows(range(count), 5)
        )

    sizes = [len(batch) for batch in batch_windows(windows(33), 3)]
    assert sizes == [3, 3, 1]
    (batch,) = batch_windows(windows(3), 3)
    assert [len(window.frames) for window in batch] == [3]


@given(cuts(), st.integers(1, 3))
def test_predictions_of_a_frame_are_averaged(cut, channels):
    count, length, overlap = cut
    generator = torch.Generator().manual_seed(count)
    made, expected = [], [[] for _ in range(count)]
    for first, frames in cut_windows(range(count), length, overlap):
        n = len(frames)
        logits = 3 * torch.randn(n, channels, 2, 2, generator=generator)
        spread = torch.rand(n, 1, 2, 2, generator=generator)
        codes = dict(shared=torch.randn(n, 4, generator=generator))
        made.append(
            WindowPrediction(
                Window(first, frames, first + 0.1 * np.arange(n)),
                ClipPrediction(logits, spread, codes),
                [f'sample {first} {t}' for t in range(n)],
                torch.full((n, 1, 1, 1), float(first)),
            )
        )
        for t in range(n):
            expected[first + t].append(
                (first, logits[t], spread[t], codes['shared'][t])
            )
    merged = list(merge_windows(made))
    assert [m.frame for m in merged] == list(range(count))
    for index, (frame, parts) in enumerate(zip(merged, expected)):
        first, logits, spread, codes = zip(*parts)
        value = frame.prediction
        assert frame.index == index
        # Of the first window that has it.
        assert frame.sample == f'sample {first[0]} {index - first[0]}'
        # A patch of each.
        assert {s: patch.item() for s, patch in frame.heard.items()} == {
            f + 0.1 * (index - f): f for f in first
        }
        stacked = torch.stack(logits)
        if channels == 1:
            mean, ours = stacked.sigmoid().mean(0), value.logits[0].sigmoid()
        else:
            mean = stacked.softmax(1).mean(0)
            ours = value.logits[0].softmax(0)
        torch.testing.assert_close(ours, mean)
        torch.testing.assert_close(
            value.uncertainty[0], torch.stack(spread).mean(0)
        )
        torch.testing.assert_close(
            value.codes['shared'][0], torch.stack(codes).mean(0)
        )
        if len(parts) == 1:
            assert torch.equal(value.logits[0], logits[0])


def test_a_frame_leaves_when_no_further_window_has_it():
    def windows():
        for number, (first, frames) in enumerate(
            cut_windows(itertools.count(), 4, 1)
        ):
            read.append(number)
            n = len(frames)
            yield WindowPrediction(
                Window(first, frames, np.zeros(n)),
                ClipPrediction(torch.zeros(n, 1, 1, 1), None, {}),
                [None] * n,
                torch.zeros(n, 1, 1, 1),
            )

    read = []
    merged = merge_windows(windows())
    # Of an endless stream: with frame 3 k window k + 1 has come.
    for index in range(30):
        assert next(merged).index == index
        assert len(read) <= index // 3 + 2


@pytest.mark.parametrize(
    ('firsts', 'match'),
    [
        ([1], 'from frame 1 on.*frames from 0 up to 0'),
        ([0, 4], 'from frame 4 on.*frames from 0 up to 3'),
        ([0, 2, 6], 'from frame 6 on.*frames from 2 up to 5'),
        ([0, 2, 1], 'from frame 1 on.*frames from 2 up to 5'),
    ],
)
def test_windows_that_do_not_follow_each_other(firsts, match):
    """A frame in between would be lost."""
    logits = torch.zeros(3, 1, 2, 2)
    windows = (
        WindowPrediction(
            Window(first, range(first, first + 3), np.arange(3)),
            ClipPrediction(logits, None, {}),
            3 * ['sample'],
            torch.zeros(3, 1, 96, 64),
        )
        for first in firsts
    )
    with pytest.raises(ValueError, match=match):
        list(merge_windows(windows))


def noise(seconds, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, round(seconds * RATE_HZ)).astype(np.float32)


def frames_at(times):
    return [VideoFrame(np.zeros((1, 1, 3), np.uint8), t) for t in times]


def patch_at(waveform, start_s):
    start = round(start_s * RATE_HZ)
    return vggish_log_mel(waveform[start : start + PATCH])[0]


def test_published_windows_have_the_sound_of_their_seconds():
    waveform = noise(12)
    windows = list(
        published_windows(
            frames_at(np.arange(1, 13) - 1 / 16), ArraySound(waveform), 5, 1
        )
    )
    assert [w.first for w in windows] == [0, 4, 7]
    for window in windows:
        start = window.first * RATE_HZ
        expected = waveform[start : start + 5 * RATE_HZ]
        np.testing.assert_array_equal(window.waveform, expected)
        # The patches that are made of it are at these times in the sound.
        patches = vggish_log_mel(window.waveform, 5)
        for patch, sound_s in zip(patches, window.sound_s, strict=True):
            np.testing.assert_array_equal(patch, patch_at(waveform, sound_s))


def test_sound_that_ends_early():
    """Behind a video's there is silence; that of a clip stops."""
    waveform = noise(8.25)

    def last_window(is_clip, count):
        frames = frames_at(range(count))
        sound = ArraySound(waveform)
        return list(published_windows(frames, sound, 5, 0, is_clip))[-1]

    rest = waveform[5 * RATE_HZ :]
    silent = np.zeros(5 * RATE_HZ - len(rest), np.float32)
    starts = 0.96 * np.arange(5)
    window = last_window(False, 10)
    np.testing.assert_array_equal(window.waveform, np.append(rest, silent))
    np.testing.assert_allclose(window.sound_s, 5 + starts)
    # Three patches fit into 3.25 s; the third is repeated.
    window = last_window(True, 10)
    np.testing.assert_array_equal(window.waveform, rest)
    np.testing.assert_allclose(window.sound_s, 5 + starts.clip(max=1.92))
    for patch, sound_s in zip(
        vggish_log_mel(rest, 5), window.sound_s, strict=True
    ):
        np.testing.assert_array_equal(patch, patch_at(waveform, sound_s))
    # Less than a patch is left of a clip's sound, or nothing.
    window = last_window(True, 13)
    np.testing.assert_array_equal(
        window.waveform,
        np.append(waveform[8 * RATE_HZ :], np.zeros(76000, np.float32)),
    )
    np.testing.assert_allclose(window.sound_s, 8 + starts)
    window = last_window(True, 14)
    assert not window.waveform.any() and len(window.waveform) == 5 * RATE_HZ
    np.testing.assert_allclose(window.sound_s, 9 + starts)


@given(
    st.lists(
        st.fractions(0, 12, max_denominator=1001), min_size=1, max_size=12
    ),
    st.integers(PATCH, 8 * RATE_HZ),
)
def test_own_time_patches_are_exact_to_the_sample(times, num_samples):
    """Variable rates too; shifted at both ends, silent behind the sound."""
    waveform = noise(8)[:num_samples]
    padded = np.pad(waveform, (0, 14 * RATE_HZ))
    reader = PatchReader(ArraySound(waveform))
    for time in sorted(times):
        start = max(round(float(time) * RATE_HZ) - PATCH // 2, 0)
        if start < num_samples:
            start = min(start, num_samples - PATCH)
        expected = vggish_log_mel(padded[start : start + PATCH])[0]
        log_mel, start_s = reader.read(float(time))
        np.testing.assert_array_equal(log_mel, expected)
        assert start_s == start / RATE_HZ


def test_own_time_patches_at_both_ends():
    waveform = noise(3)
    reader = PatchReader(ArraySound(waveform))

    def check(time_s, start):
        patch = reader.read(time_s)
        assert patch.start_s == start / RATE_HZ
        np.testing.assert_array_equal(
            patch.log_mel, patch_at(waveform, start / RATE_HZ)
        )

    check(0.0, 0)
    check(0.4875, 0)
    check(0.5, 200)
    check(2.0, 32000 - 7800)
    for late_s in (2.9, 3.0, 3.48):
        check(late_s, 48000 - PATCH)
    # Nothing is left of the sound there.
    patch = reader.read(3.4875)
    np.testing.assert_array_equal(
        patch.log_mel, vggish_log_mel(np.zeros(PATCH))[0]
    )
    assert patch.start_s == 3.0


def test_own_time_windows_stack_the_patches():
    times = [0.0, 0.2, 0.4, 0.6]
    windows = own_time_windows(frames_at(times), ArraySound(noise(4)), 3, 1)
    reader = PatchReader(ArraySound(noise(4)))
    log_mel, sound_s = zip(*(reader.read(time) for time in times))
    patches = np.stack(log_mel)[:, None]
    for window, first in zip(list(windows), (0, 1), strict=True):
        assert window.first == first
        assert window.waveform is None
        np.testing.assert_array_equal(
            window.log_mel, patches[first : first + 3]
        )
        np.testing.assert_array_equal(
            window.sound_s, sound_s[first : first + 3]
        )


class EndlessSound:
    """Silence that checks how it is read."""

    end_s = None

    def __init__(self):
        self.latest_s = 0.0
        self.alive = weakref.WeakSet()

    def read(self, start_s, duration_s):
        assert start_s >= self.latest_s
        self.latest_s = start_s
        samples = np.zeros(round(duration_s * RATE_HZ), np.float32).view(Held)
        self.alive.add(samples)
        return AudioStretch(samples, RATE_HZ, float(start_s), 0.0)


class Held(np.ndarray):
    """An array that can be weakly referenced, by its identity."""

    __hash__ = object.__hash__


@pytest.mark.parametrize('published', [True, False])
@pytest.mark.parametrize('overlap', [0, 3])
def test_memory_is_that_of_a_few_windows(published, overlap):
    """Of an endless stream, frames and sound that were used are let go."""
    images, sound = weakref.WeakSet(), EndlessSound()

    def frames():
        for i in itertools.count():
            image = np.zeros((1, 1, 3), np.uint8).view(Held)
            images.add(image)
            yield VideoFrame(image, i if published else float(Fraction(i, 3)))

    cut = published_windows if published else own_time_windows
    windows = cut(frames(), sound, 5, overlap)
    for _ in range(40):
        window = next(windows)
        # The window, and a frame that is on its way.
        assert len(images) <= 6
        assert len(sound.alive) <= 5
    assert window.first == 39 * (5 - overlap)
