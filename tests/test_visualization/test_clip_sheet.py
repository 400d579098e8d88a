"""One picture of a clip."""

import numpy as np
import pytest

from mmavs.visualization import SheetRow, draw_clip_sheet
from mmavs.visualization.clip_sheet import log_mel_row, uncertainty_row

RED, BLUE = (255, 0, 0), (0, 0, 255)


def plain(colour, count, size=(20, 20)):
    return [np.full((*size, 3), colour, dtype=np.uint8)] * count


def share(sheet, colour):
    return (sheet == colour).all(-1).mean()


def test_sheet_is_an_rgb_picture():
    sheet = draw_clip_sheet([SheetRow('frame', plain(RED, 3))], title='x')
    assert sheet.dtype == np.uint8 and sheet.shape[2] == 3
    # Red stays red: neither the order of the channels nor an alpha is off.
    assert share(sheet, RED) > 0.4
    assert share(sheet, BLUE) == 0


def test_more_frames_are_wider_and_more_rows_are_higher():
    rows = [SheetRow('frame', plain(RED, 3))]
    one = draw_clip_sheet(rows)
    two = draw_clip_sheet(rows + [SheetRow('truth', plain(BLUE, 3))])
    wide = draw_clip_sheet([SheetRow('frame', plain(RED, 10))])
    assert two.shape[0] > 1.5 * one.shape[0]
    assert two.shape[1] == one.shape[1]
    assert wide.shape[1] > 2.5 * one.shape[1]


def test_rows_stand_in_the_given_order():
    rows = [SheetRow('a', plain(RED, 2)), SheetRow('b', plain(BLUE, 2))]
    sheet = draw_clip_sheet(rows)
    top, bottom = (
        np.nonzero((sheet == colour).all(-1))[0] for colour in (RED, BLUE)
    )
    assert top.max() < bottom.min()


def test_frames_stand_in_their_order():
    colours = [(50 * k, 0, 255) for k in range(5)]
    images = [plain(colour, 1)[0] for colour in colours]
    sheet = draw_clip_sheet([SheetRow('frame', images)])
    columns = [np.nonzero((sheet == colour).all(-1))[1] for colour in colours]
    for left, right in zip(columns, columns[1:]):
        assert left.max() < right.min()


def test_captions_stand_below_and_hide_nothing():
    rows = [SheetRow('a', plain(RED, 2)), SheetRow('b', plain(BLUE, 2))]
    without = draw_clip_sheet(rows)
    for caption in ('IoU 0.5', 'two\nlines'):
        # Of one picture only: the rows stay aligned all the same.
        captioned = draw_clip_sheet(
            [SheetRow('a', plain(RED, 2), [caption, '']), rows[1]]
        )
        assert captioned.shape[0] > without.shape[0]
        areas = [(x == RED).all(-1).sum() for x in (without, captioned)]
        assert areas[1] == pytest.approx(areas[0], rel=0.05)
        red = np.nonzero((captioned == RED).all(-1))
        blue = np.nonzero((captioned == BLUE).all(-1))
        gap = captioned[red[0].max() + 4 : blue[0].min() - 3]
        half = gap.shape[1] // 2
        assert (gap[:, :half] < 100).any() and not (gap[:, half:] < 100).any()
        assert red[1].min() == blue[1].min() and red[1].max() == blue[1].max()


def test_empty_captions_take_no_room():
    rows = [SheetRow('a', plain(RED, 2), ['', ''])]
    expected = draw_clip_sheet([SheetRow('a', plain(RED, 2))])
    assert np.array_equal(draw_clip_sheet(rows), expected)


def test_legend_stands_below():
    rows = [SheetRow('a', plain(RED, 2))]
    without = draw_clip_sheet(rows)
    assert np.array_equal(draw_clip_sheet(rows, legend={}), without)
    colours = {'wolf': (0, 0, 255), 'man': (0, 255, 0), 'x': (255, 0, 255)}
    sheet = draw_clip_sheet(rows, legend=colours)
    # Two columns, so two lines.
    assert sheet.shape[0] > without.shape[0] + 30
    red = np.nonzero((sheet == RED).all(-1))[0]
    for colour in colours.values():
        found = np.nonzero((sheet == colour).all(-1))[0]
        assert len(found) > 20 and found.min() > red.max()


def test_dollars_are_no_formula():
    rows = [SheetRow('a', plain(RED, 2), ['$\\frac$', '$'])]
    sheet = draw_clip_sheet(rows, title=r'-$\bad{$_1')
    assert share(sheet, RED) > 0.3


def test_pictures_of_any_shape_and_one_frame():
    """A row is as high as its pictures: wide ones waste no paper."""
    sheets = [
        draw_clip_sheet([SheetRow('a', plain(RED, 1, size))])
        for size in ((30, 90), (30, 30), (90, 30))
    ]
    heights = [sheet.shape[0] for sheet in sheets]
    assert heights == sorted(heights) and len(set(heights)) == 3
    for sheet in sheets:
        assert share(sheet, RED) > 0.3


def test_rows_must_agree_in_their_frames():
    rows = [SheetRow('frame', plain(RED, 3)), SheetRow('truth', plain(RED, 2))]
    with pytest.raises(ValueError, match="'frame': 3, 'truth': 2"):
        draw_clip_sheet(rows)


@pytest.mark.parametrize('rows', [[], [SheetRow('frame', [])]])
def test_nothing_to_draw(rows):
    with pytest.raises(ValueError, match='number of frames'):
        draw_clip_sheet(rows)


def test_log_mel_has_time_to_the_right_and_pitch_upwards():
    """Loud in the last windows and the lowest band: bottom right."""
    log_mel = np.full((2, 1, 96, 64), -4.6)
    log_mel[:, :, 80:, :8] = 3.0
    row = log_mel_row(log_mel)
    assert row.images[0].shape == (64, 96)
    sheet = draw_clip_sheet([SheetRow('f', plain(BLUE, 2)), row])
    rows, columns = np.nonzero((sheet == BLUE).all(-1))
    # Below the first of the two pictures.
    end = columns.min() + np.diff(np.unique(columns)).argmax()
    half = sheet[rows.max() + 5 :, columns.min() : end].astype(int)
    loud = (half[..., 0] > 240) & (half[..., 2] < 225)
    quiet = half.sum(-1) < 30
    assert loud.any() and quiet.any()
    rows, columns = np.nonzero(loud)
    quiet_rows, quiet_columns = np.nonzero(quiet)
    assert rows.mean() > quiet_rows.mean()
    assert columns.mean() > quiet_columns.mean()


def long_name(length):
    return 'ab_cd' * (length // 5)


def test_long_titles_are_broken_and_cut():
    """In the width of a sheet of one frame, in three lines at most."""
    rows = [SheetRow('a', plain(RED, 1))]
    sheets = [
        draw_clip_sheet(rows, title=title)
        for title in ('', 'ab', long_name(60), long_name(600))
    ]
    heights = [sheet.shape[0] for sheet in sheets]
    assert heights == sorted(heights) and heights[0] < heights[1] < heights[2]
    assert heights[3] - heights[1] == pytest.approx(40, abs=3)
    for sheet in sheets[2:]:
        assert len({sheet.shape[1] for sheet in sheets}) == 1
        assert (sheet[:60, :4] == 255).all() and (sheet[:60, -4:] == 255).all()


def test_captions_stay_in_their_column():
    rows = [SheetRow('a', plain(RED, 3), ['', long_name(300), ''])]
    sheet = draw_clip_sheet(rows)
    red, columns = np.nonzero((sheet == RED).all(-1))
    below = sheet[red.max() + 4 :]
    text = np.nonzero((below < 100).any(-1).any(0))[0]
    ends = np.nonzero(np.diff(np.unique(columns)) > 1)[0]
    left, right = np.unique(columns)[ends[0]], np.unique(columns)[ends[1] + 1]
    assert len(text) > 50 and left < text.min() and text.max() < right


def test_names_of_classes_are_no_formulas():
    rows = [SheetRow('a', plain(RED, 2))]
    sheet = draw_clip_sheet(rows, legend={r'$\bad{$': BLUE, 'x' * 200: BLUE})
    assert share(sheet, RED) > 0.3 and share(sheet, BLUE) > 0


def test_uncertainty_has_one_scale():
    """0.5 is the brightest, whatever else a sheet holds; 0 the darkest."""
    bright, dark = np.full((20, 20), 0.5), np.zeros((20, 20))
    dim = np.full((20, 20), 0.25)
    corners = []
    for maps in ([dim, dark], [dim, bright], [dim, dim]):
        row = uncertainty_row(maps)
        assert row.imshow['vmin'] == 0 and row.imshow['vmax'] == 0.5
        sheet = draw_clip_sheet([SheetRow('f', plain(RED, 2)), row])
        y, x = np.nonzero((sheet == RED).all(-1))
        corners.append(
            [
                sheet[y.max() + 60, x.min() + 20],
                sheet[y.max() + 60, x.max() - 20],
            ]
        )
    (dim, dark), (dim_too, bright), (also_dim, _) = np.array(corners, int)
    assert (dim == dim_too).all() and (dim == also_dim).all()
    # Brightness grows with it: told apart without colours, too.
    assert dark.sum() + 150 < dim.sum() < bright.sum() - 100
    assert row.captions == ['mean 0.250', 'mean 0.250']


def test_colour_bar_stands_beside_its_row():
    """It shifts nothing: the columns of all rows stay one."""
    frames = SheetRow('f', plain(RED, 3))
    row = uncertainty_row([np.zeros((20, 20))] * 3)
    with_bar = draw_clip_sheet([frames, row])
    y, x = np.nonzero((with_bar == RED).all(-1))
    below = with_bar[y.max() + 5 :].astype(int)
    # The darkest colour of the map, the whole row.
    dark = np.abs(below - (0, 34, 78)).max(-1) < 3
    columns = np.nonzero(dark.mean(0) > 0.5)[0]
    assert abs(columns.min() - x.min()) <= 1
    assert abs(columns.max() - x.max()) <= 1
    # To its right the end of the bar, yellow, within the sheet.
    yellow = np.nonzero(np.abs(below - (254, 232, 56)).max(-1) < 20)
    assert len(yellow[1]) and yellow[1].min() > columns.max() + 2
    assert yellow[1].max() < with_bar.shape[1] - 10
    assert (with_bar[:, -1] == 255).all()


def test_flat_and_tall_frames():
    """Neither a line nor a tower."""
    flat = draw_clip_sheet([SheetRow('f', plain(RED, 2, (10, 200)))])
    tall = draw_clip_sheet([SheetRow('f', plain(RED, 2, (400, 10)))])
    square = draw_clip_sheet([SheetRow('f', plain(RED, 2, (20, 20)))])
    assert flat.shape[1] > 1.4 * square.shape[1]
    assert square.shape[0] < tall.shape[0] < 2.2 * square.shape[0]
