"""When pictures appear in files whose timestamps do not tell.

Pictures carry their number and the sound is a chirp on the clock of the file.
"""

import av
import numpy as np
import pytest
from video_files import chirp, number_of, write_video

from mmavs.datasets.videos import read_audio, read_frames, stream_frames

# Pictures that are stored in another order than they appear in.
REORDERED = {
    'h264.avi': dict(),
    'h264, all kinds.avi': dict(options=dict(bf='8', b_strategy='2')),
    'mpeg4.avi': dict(codec='mpeg4', options=dict(bf='2')),
}


@pytest.fixture(params=REORDERED)
def untimed(request, tmp_path):
    """Two seconds in a container that has no room for times."""
    return write_video(
        tmp_path / request.param,
        seconds=2,
        ticks_hz=16,
        audio='pcm_s16le',
        **REORDERED[request.param],
    )


def test_untimed_pictures(untimed):
    frames = list(stream_frames(untimed))
    assert [number_of(frame.image) for frame in frames] == list(range(32))
    assert [frame.time_s for frame in frames] == [n / 16 for n in range(32)]
    assert [frame.end_s for frame in frames] == [n / 16 for n in range(1, 33)]


def test_sound_of_untimed_pictures(untimed):
    waveform = read_audio(untimed, 0, 2).waveform
    clean = chirp(np.arange(len(waveform)) / 16000)
    assert np.corrcoef(waveform, clean)[0, 1] > 0.999


def test_far_into_untimed_pictures(tmp_path):
    path = write_video(tmp_path / 'v.avi', seconds=15, ticks_hz=16, audio=None)
    # The last ones leave the decoder after the last of the data.
    for time_s in (4.5, 9.3, 14.875, 14.9375):
        (frame,) = read_frames(path, [time_s])
        assert number_of(frame.image) == int(16 * time_s)
        assert frame.time_s == int(16 * time_s) / 16


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.ts'])
def test_times_in_the_order_of_storage(tmp_path, suffix):
    right = write_video(tmp_path / 'right.mp4', seconds=2, audio=None)
    wrong = tmp_path / f'wrong{suffix}'
    with av.open(str(right)) as source, av.open(str(wrong), 'w') as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                # None is negative.
                packet.dts += 90000
                packet.pts, packet.stream = packet.dts, stream
                target.mux(packet)
    frames = list(stream_frames(wrong))
    # Up to the first that goes back there is nothing to be seen of it.
    assert [number_of(frame.image) for frame in frames][2:] == [*range(3, 32)]
    # Behind the last packet they follow each other at the average rate,
    # which is that of all the times.
    for n, frame in enumerate(frames[2:-2], 3):
        assert frame.time_s == pytest.approx(n / 16, abs=0.0011)
    assert frames[-1].time_s < 2
