"""The picture of a listening report."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmavs.evaluation.listening import ClipListening, summarise_listening
from mmavs.visualization.listening_figure import TRUTHS, draw_listening


def make_report(shares):
    """Sounds with the same share of pixels marked in every frame."""

    def clips(share):
        frames = np.full(2, share)
        return [
            ClipListening(
                video_id=name,
                iou=frames,
                f_curve=np.full((2, 255), share, np.float32),
                non_empty=np.ones(2, bool),
                foreground_share=frames,
                truth_share=np.full(2, 0.1),
                active=frames > 0,
                false_share=frames,
            )
            for name in 'ab'
        ]

    records = {name: clips(share) for name, share in shares.items()}
    return summarise_listening(records, 20)


def draw(path, shares, title='a title'):
    draw_listening(make_report(shares), path, title)
    return np.asarray(Image.open(path).convert('RGB')).astype(int)


def count(image, truth):
    """Pixels in the colour of a truth, which is laid on white."""
    colour = TRUTHS[truth][0]
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    expected = 255 - 0.85 * (255 - rgb)
    return int((np.abs(image - expected) < 4).all(-1).sum())


def test_bars_are_as_long_as_the_numbers(tmp_path):
    """A bar of half the mIoU has half the area of its colour."""
    image = draw(tmp_path / 'a.png', dict(matched=0.8, silence=0.4))
    half = count(image, 'matched') / count(image, 'empty')
    assert half == pytest.approx(2, rel=0.05)
    assert count(image, 'twin') == 0


def test_more_sounds_make_it_higher(tmp_path):
    few = draw(tmp_path / 'a.png', dict(matched=0.5))
    more = draw(
        tmp_path / 'b.png',
        dict(matched=0.5, twin=0.2, swapped=0.1, shuffle=0.3),
        title='$x_1$ ' + 'very long ' * 30,
    )
    assert few.shape[1] == more.shape[1] == 1500
    assert more.shape[0] - few.shape[0] == 3 * 45
    assert count(more, 'twin') > 0 and count(few, 'twin') == 0


def test_the_same_report_gives_the_same_file(tmp_path):
    for name in 'ab':
        draw(tmp_path / name, dict(matched=0.5, silence=0.0))
    a, b = (tmp_path / name for name in 'ab')
    assert a.read_bytes() == b.read_bytes()
