"""The table of files, and the lists of clips as they are on disk."""

import numpy as np
import pytest

from mmavs.datasets.errors import DataError
from mmavs.datasets.layout import (
    LAYOUTS,
    Column,
    class_palette,
    fill_pattern,
    read_clips,
    read_rows,
)

# A header and rows as in AVSBench-semantic.
METADATA = """vid,uid,s_min,s_sec,a_obj,split,label
-a0bCdE-f1g,-a0bCdE-f1g_35000_45000,0,35,man_lawn-mower,train,v2
_9xYzAbCdE0,_9xYzAbCdE0_0_5000,0,0,emergency-car,val,v1s
0123456789,0123456789_5000_10000,0,5,off-the-screen_dog,test,v1m
"""


def read(text, setting='avss', name='list.csv'):
    content = text if isinstance(text, bytes) else text.encode()
    return read_clips(content, LAYOUTS[setting].columns, name)


def test_real_metadata_rows():
    clips = read(METADATA)
    assert clips[0] == dict(
        source='-a0bCdE-f1g',
        video_id='-a0bCdE-f1g_35000_45000',
        s_min='0',
        s_sec='35',
        objects='man_lawn-mower',
        split='train',
        subset='v2',
    )
    assert [clip['objects'] for clip in clips[1:]] == [
        'emergency-car',
        'off-the-screen_dog',
    ]
    assert clips[2]['source'] == '0123456789'


def test_header_decides_over_position():
    assert read(
        'split,label,a_obj,uid,vid,s_sec,s_min\ntest,v2,dog,u,w,7,1\n'
    ) == [
        dict(
            source='w',
            video_id='u',
            s_min='1',
            s_sec='7',
            objects='dog',
            split='test',
            subset='v2',
        )
    ]
    # Of S4 the names of two columns are not known: these stay where they are.
    clips = read('who,when,split,Category\nx,3,val,cat\n', 's4')
    assert clips == [
        dict(video_id='x', start='3', category='cat', split='val')
    ]


@pytest.mark.parametrize(
    'text',
    [
        'x,train\ny,val\n',
        '\ufeffx,train\r\n\r\ny,val\r\n',
        'video_id,split\nx,train\n"y",val\n',
        ' x , train\ny,val,further,cells',
    ],
)
def test_forms_of_one_list(text):
    clips = read(text, 'ms3')
    assert clips == [
        dict(video_id='x', split='train'),
        dict(video_id='y', split='val'),
    ]


@pytest.mark.parametrize(
    'text, message',
    [
        (b'', 'empty'),
        (b'\n\n', 'empty'),
        (b'\xff\xfe\x00', 'not a CSV file'),
        (b'x,"' + b'y' * 200_000, 'not a CSV file'),
        (b'video_id,split\nx\n', r"row 2: needs 2 columns, got 1: \['x'\]"),
        (b'../../etc,train\n', r"row 1: video_id '../../etc'"),
        (b'a\\b,train\n', 'plain name'),
        (b'"a\nb",train\n', r"row 1: video_id 'a\\nb'"),
        (b'a\x1b[2Jb,train\n', r"video_id 'a\\x1b\[2Jb'"),
        ('a\x9bb,train\n'.encode(), r"video_id 'a\\x9bb'"),
        (b'/etc/passwd,train\n', r"video_id '/etc/passwd'"),
        (b',train\n', "video_id ''"),
        (b'x,..\n', "split '..'"),
        (b'x' * 300 + b',train\n', 'plain name'),
    ],
)
def test_bad_lists(text, message):
    with pytest.raises(DataError, match=f'list.csv.*{message}'):
        read(text, 'ms3')


def test_column_by_name_only():
    columns = dict(
        video_id=Column(None, ('clip',)), split=Column(None, ('split',))
    )
    assert read_clips(b'split,x,clip\nval,1,a\n', columns, 'l') == [
        dict(video_id='a', split='val')
    ]
    with pytest.raises(DataError, match="l has no column 'clip'.*'name'"):
        read_clips(b'split,name\nval,a\n', columns, 'l')


def test_frames_and_labels_of_each_subset():
    def numbers(setting, **clip):
        layout = LAYOUTS[setting]
        return (
            list(layout.frame_numbers(clip)),
            list(layout.labelled_numbers(clip)),
        )

    five, zero_five = [1, 2, 3, 4, 5], [0, 1, 2, 3, 4]
    assert numbers('s4', split='train') == (five, [1])
    assert numbers('s4', split='test') == (five, five)
    assert numbers('ms3', split='train') == (five, five)
    assert numbers('avss', split='train', subset='v1s') == (zero_five, [0])
    assert numbers('avss', split='val', subset='v1s') == (zero_five, zero_five)
    assert numbers('avss', split='train', subset='v1m') == (
        zero_five,
        zero_five,
    )
    assert numbers('avss', split='train', subset='v2') == (
        [*range(10)],
        [*range(10)],
    )
    with pytest.raises(DataError, match="'q' is of subset 'v3'"):
        numbers('avss', video_id='q', split='train', subset='v3')


def test_paths():
    clip = dict(video_id='-x', category='cat', split='val', subset='v2')
    assert LAYOUTS['ms3'].path('img_path', clip, 3) == (
        'ms3_data/visual_frames/-x/-x.mp4_3.png'
    )
    assert LAYOUTS['s4'].path('log_mel_path', clip) == (
        's4_data/audio_log_mel/val/cat/-x.pkl'
    )
    assert LAYOUTS['avss'].path('seg_map_rgb_path', clip, 0) == (
        'v2/-x/labels_rgb/0.png'
    )


def test_fill_pattern_leaves_other_braces():
    assert fill_pattern('/{x}/{} {a}_{k}', dict(a='{k}', k='3')) == (
        '/{x}/{} {k}_3'
    )


def test_palette_is_that_of_voc():
    palette = class_palette(71)
    # The first colours of PASCAL VOC, and that no two are equal.
    assert palette[:6] == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
        [128, 0, 128],
    ]
    assert palette[20] == [0, 64, 128]
    assert len(np.unique(palette, axis=0)) == 71


def test_a_bad_row_hides_no_other():
    content = (
        b'\xef\xbb\xbfname,split,video_id\r\n\r\n'
        b'x,train,-a\r\n'
        b'y,test\r\n'
        b'"two\r\nlines",val,_b\r\n'
        b'z,test,a/b\r\n'
        b'w,test,007\r\n'
    )
    rows = dict(read_rows(content, LAYOUTS['ms3'].columns, 'list.csv'))
    assert str(rows.pop(4)).startswith('list.csv, row 4: needs 3 columns')
    assert str(rows.pop(6)).startswith("list.csv, row 6: video_id 'a/b' must")
    assert rows == {
        3: dict(video_id='-a', split='train'),
        5: dict(video_id='_b', split='val'),
        7: dict(video_id='007', split='test'),
    }
