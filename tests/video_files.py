"""Small real videos: frames that carry their number, sound that is a chirp.

Frame n shows n in binary, as a row of eight white or black tiles over a
corner that tells how the picture is turned. The sound is a chirp, so that an
offset of one sample shows.
"""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TILES = 8
# Red top left, green top right, blue bottom left, grey bottom right.
CORNERS = ((220, 20, 20), (20, 200, 20), (20, 20, 220), (128, 128, 128))


def picture_of(number, width, height):
    """Draw frame ``number``: corners, and its binary digits across."""
    image = np.empty((height, width, 3), np.uint8)
    top, left = height // 2, width // 2
    image[:top, :left], image[:top, left:] = CORNERS[:2]
    image[top:, :left], image[top:, left:] = CORNERS[2:]
    for i, (low, high) in enumerate(_tiles(width)):
        band = slice(height // 3, 2 * height // 3)
        image[band, low:high] = 255 * (number >> i & 1)
    return image


def number_of(image):
    """Read the number of a frame back, whatever it was scaled to."""
    height, width = image.shape[:2]
    band = image[height * 5 // 12 : height * 7 // 12].astype(float)
    return sum(
        (band[:, low + 1 : high - 1].mean() > 128) << i
        for i, (low, high) in enumerate(_tiles(width))
    )


def corners_of(image):
    """Colours of the four corners, top left first."""
    height, width = image.shape[:2]
    rows, columns = (height // 8, -height // 8), (width // 8, -width // 8)
    return [image[y, x].astype(int) for y in rows for x in columns]


def _tiles(width):
    edges = np.linspace(0, width, TILES + 1).astype(int)
    return list(zip(edges[:-1], edges[1:]))


def chirp(time_s):
    """Value of the sound at a time: 300 to 3,000 Hz in every second."""
    phase = 2 * np.pi * (300 * time_s % 1 + 1350 * (time_s % 1) ** 2)
    return 0.5 * np.sin(phase)


def write_video(
    path,
    seconds=6,
    fps=16,
    size=(64, 48),
    codec='libx264',
    pix_fmt='yuv420p',
    audio='aac',
    rate_hz=44100,
    layout='stereo',
    frame_times=None,
    video_start=0,
    audio_start=0,
    audio_seconds=None,
    gap=None,
    loudness=1.0,
    key_frame_every=8,
    ticks_hz=90000,
    options=None,
    container_format=None,
    container_options=None,
):
    """Encode a video.

    The two streams begin at ``video_start`` and ``audio_start``, on the same
    clock, and the chirp is that of this clock. ``frame_times`` are the times
    of the frames since ``video_start`` where they are not equally far apart.
    Without sound in ``gap``, a range of seconds; elsewhere it is
    ``loudness`` times the chirp, a number or a function of the time in
    seconds.

    Returns:
        Path: ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if frame_times is None:
        frame_times = [Fraction(n) / fps for n in range(int(seconds * fps))]
    # The path may begin with '-' or hold ':', which are plain characters.
    with path.open('w+b') as file:
        with av.open(
            file,
            'w',
            format=container_format or _FORMATS[path.suffix],
            options=container_options or {},
        ) as container:
            streams = []
            if codec is not None:
                streams.append(
                    _video(
                        container,
                        codec,
                        fps,
                        size,
                        pix_fmt,
                        key_frame_every,
                        ticks_hz,
                        options,
                    )
                )
            if audio is not None:
                streams.append(
                    container.add_stream(audio, rate=rate_hz, layout=layout)
                )
            packets = []
            if codec is not None:
                packets += _encode_frames(
                    streams[0], frame_times, size, pix_fmt, video_start
                )
            if audio is not None:
                duration = seconds if audio_seconds is None else audio_seconds
                packets += _encode_sound(
                    streams[-1], duration, audio_start, gap, loudness
                )
            packets.sort(key=lambda packet: packet.dts * packet.time_base)
            for packet in packets:
                container.mux(packet)
    return path


_FORMATS = {
    '.mp4': 'mp4',
    '.mkv': 'matroska',
    '.webm': 'webm',
    '.avi': 'avi',
    '.ts': 'mpegts',
    '.mov': 'mov',
    '.h264': 'h264',
}


def _video(
    container, codec, fps, size, pix_fmt, key_frame_every, ticks_hz, options
):
    stream = container.add_stream(codec, rate=fps, options=options or {})
    stream.width, stream.height = size
    stream.pix_fmt = pix_fmt
    stream.codec_context.time_base = Fraction(1, ticks_hz)
    stream.codec_context.gop_size = key_frame_every
    return stream


# Display matrices (a, b, c, d) as cameras write them, by what a player has to
# do with the stored picture.
TURNS = {
    'as it is': (1, 0, 0, 1),
    'a quarter clockwise': (0, 1, -1, 0),
    'half a turn': (-1, 0, 0, -1),
    'a quarter counterclockwise': (0, -1, 1, 0),
    'mirrored': (-1, 0, 0, 1),
}


def patch_matrix(path, matrix):
    """Put a display matrix into the track header of an mp4's video.

    PyAV writes the identity only. The header holds nine big-endian numbers
    (a, b, u, c, d, v, x, y, w): those of the last column with 30 binary
    places, the others with 16.

    Args:
        path: The file, which is changed.
        matrix: (a, b, c, d), as those of ``TURNS``.
    """
    content = bytearray(path.read_bytes())
    unit = 1 << 16
    plain = struct.pack('>9i', unit, 0, 0, 0, unit, 0, 0, 0, 1 << 30)
    # The video is the first track.
    place = content.index(plain, content.index(b'tkhd'))
    a, b, c, d = (unit * value for value in matrix)
    content[place : place + 36] = struct.pack(
        '>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30
    )
    path.write_bytes(content)


def cut_file(path, share):
    """Keep the first ``share`` of the bytes of a file, and lose the rest."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def read_pictures(path, every=1):
    """The frames of a video, read by PyAV alone.

    Returns:
        tuple: times in seconds (F,), when the last one ends, and the images
        of every so many of them, as stored.
    """
    times, images = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if len(times) % every == 0:
                # Threads take longer to start than such a picture.
                images.append(frame.to_ndarray(format='rgb24', threads=1))
            times.append(float(frame.pts * frame.time_base))
        last = float(frame.duration * frame.time_base)
    return np.array(times), times[-1] + last, images


def read_sound(path):
    """All of the sound of a video, read by PyAV alone.

    Returns:
        tuple: (channels, S) samples from the zero of the file's clock on, and
        their rate.
    """
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
        rate = frames[0].rate
        blocks = []
        for frame in frames:
            block = frame.to_ndarray().astype(np.float64)
            if not frame.format.is_planar:
                block = block.reshape(-1, frame.layout.nb_channels).T
            if frame.format.name.startswith('s16'):
                block /= 2**15
            blocks.append((round(frame.time * rate), block))
    end = max(first + block.shape[1] for first, block in blocks)
    samples = np.zeros((len(blocks[0][1]), end))
    for first, block in blocks:
        low = max(0, -first)
        samples[:, first + low : first + block.shape[1]] = block[:, low:]
    return samples, rate


def _encode_frames(stream, times, size, pix_fmt, start):
    packets = []
    for number, time in enumerate(times):
        image = picture_of(number, *size)
        frame = av.VideoFrame.from_ndarray(image, format='rgb24')
        frame = frame.reformat(format=pix_fmt)
        frame.pts = round((time + start) * 90000)
        frame.time_base = Fraction(1, 90000)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _encode_sound(stream, seconds, start, gap, loudness):
    rate = stream.codec_context.sample_rate
    channels = stream.codec_context.layout.nb_channels
    block = stream.codec_context.frame_size or 1024
    packets = []
    for first in range(0, int(seconds * rate), block):
        time = first / rate + float(start)
        if gap is not None and gap[0] <= time < gap[1]:
            continue
        samples = chirp(time + np.arange(block) / rate)
        samples *= loudness(time) if callable(loudness) else loudness
        # The channels differ, and their mean is the chirp.
        shares = np.linspace(1.5, 0.5, channels) if channels > 1 else [1]
        array = np.outer(samples, shares).astype(np.float32).reshape(1, -1)
        sound = av.AudioFrame.from_ndarray(
            array, format='flt', layout=stream.layout.name
        )
        sound.sample_rate = rate
        sound.pts = first + round(start * rate)
        sound.time_base = Fraction(1, rate)
        packets += stream.encode(sound)
    return packets + stream.encode(None)
