"""What happens to a clip that somebody gives to the page."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from PIL import Image
from video_files import write_video
from web import limits
from web import service as web_service
from web.examples import write_examples
from web.service import ClipService, RefusedClipError

from mmavs.datasets.videos import probe_video, read_audio
from mmavs.functional.sounds import white_noise
from mmavs.inference.recordings import video_recording


@pytest.fixture
def service(small_inferencer, tmp_path):
    return ClipService(
        small_inferencer, tmp_path / 'results', limits.Limits(0.5, 10)
    )


def heard(path, seconds):
    return read_audio(path, 0, seconds).waveform


def likeness(a, b):
    return np.corrcoef(a, b)[0, 1]


def test_a_run(service, clip):
    seen = []
    run = service.run(clip, progress=lambda *done: seen.append(done))
    assert run.num_frames == 3 and run.duration_s == 3
    assert 0 <= run.area_share <= 1 and run.uncertainty is None
    info = probe_video(run.overlay)
    assert (info.height, info.width) == (48, 64)
    assert info.duration_s == pytest.approx(3, abs=0.1)
    with Image.open(run.timeline) as picture:
        assert picture.width > 500
    assert [done_s for done_s, _ in seen[:3]] == [1, 2, 3]


def test_the_sound_that_is_heard_is_played(service, clip, tmp_path):
    """Own sound, silence, noise, that of another clip: all in the overlay."""
    own = heard(service.run(clip).overlay, 3)
    assert likeness(own, heard(clip, 3)) > 0.98
    mute = heard(service.run(clip, 'silence').overlay, 3)
    assert np.abs(mute).max() < 1e-3
    noise = heard(service.run(clip, 'noise').overlay, 3)
    expected = white_noise(3 * 16_000)
    assert likeness(noise, expected) > 0.95
    other = tmp_path / 'other.mp4'
    write_video(other, 2, audio_start=0.5)  # the chirp of a later time
    played = heard(service.run(clip, 'another', str(other)).overlay, 3)
    assert likeness(played[:24_000], heard(other, 1.5)) > 0.98
    assert likeness(played, own) < 0.5


def test_rates_and_samples(service, clip):
    run = service.run(clip, fps='5', num_samples=3)
    assert run.num_frames == 15 and 0 < run.uncertainty < 0.5
    # The same draws in each run: what differs is the sound.
    assert service.inferencer.num_samples == 0
    again = service.run(clip, fps='5', num_samples=3)
    assert again.uncertainty == run.uncertainty
    assert again.area_share == run.area_share
    run = service.run(clip, fps='native')
    assert run.num_frames == 48 and run.uncertainty is None


def refusal(service, *arguments):
    """What the visitor reads; never a folder or an option of a script."""
    with pytest.raises(RefusedClipError) as error:
        service.run(*arguments)
    assert '/' not in str(error.value) and '--' not in str(error.value)
    return str(error.value)


def test_what_is_refused(service, clip, tmp_path):
    assert 'upload or record' in refusal(service, None)
    assert 'upload that clip' in refusal(service, clip, 'another')
    text = tmp_path / 'text.mp4'
    text.write_text('not a video')
    assert refusal(service, str(text)).startswith('text.mp4 cannot')
    assert 'text.mp4' in refusal(service, clip, 'another', str(text))
    gone = refusal(service, str(tmp_path / 'gone.mp4'))
    assert gone == 'gone.mp4 is not here any more: upload it again'


def test_clips_without_sound(service, clip, tmp_path):
    """What they need is on the page."""
    mute = str(write_video(tmp_path / 'mute.mp4', 2, audio=None))
    soft = str(write_video(tmp_path / 'soft.mp4', 2, loudness=0.0))
    for path in (mute, soft):
        assert 'choose the sound "silence"' in refusal(service, path)
        assert service.run(path, 'silence').num_frames == 2
        assert service.run(path, 'noise').num_frames == 2
    assert 'no audio track' in refusal(service, clip, 'another', mute)
    assert 'another file' in refusal(service, clip, 'another', soft)


@pytest.mark.parametrize(
    'error', [OSError(28, 'No space', '/srv/a'), RuntimeError('CUDA: /srv/a')]
)
def test_other_errors_are_for_the_log(
    service, clip, monkeypatch, caplog, error
):
    def write(*arguments, **options):
        raise error

    monkeypatch.setattr(web_service, 'write_prediction', write)
    assert 'the log of the page says why' in refusal(service, clip)
    assert '/srv/a' in caplog.text and 'Traceback' in caplog.text
    # The next one gets its turn, and the model is as it was.
    assert service.inferencer.num_samples == 0
    monkeypatch.undo()
    assert service.run(clip).num_frames == 3


def test_too_many_bytes(service, clip, tmp_path):
    big = tmp_path / 'big.mp4'
    big.write_bytes(bytes(600_000))
    for given in ([str(big)], [clip, 'another', str(big)]):
        message = 'big.mp4 has 0.6 MB, files on this page have at most 0.5 MB'
        assert refusal(service, *given) == message


def test_too_long_pictures(service, tmp_path, monkeypatch):
    path = str(write_video(tmp_path / 'long.mp4', 12, fps=2, audio=None))
    message = (
        'long.mp4 is too long: its pictures may last at most 10 s on this page'
    )
    assert refusal(service, path, 'noise') == message
    assert not service.folder.exists()
    # The file does not say how long it is: its pictures do.
    real = probe_video(path)
    monkeypatch.setattr(
        video_recording,
        'probe_video',
        lambda *_: replace(real, duration_s=None),
    )
    assert refusal(service, path, 'noise') == message
    assert not list(service.folder.iterdir())


def test_a_still_that_does_not_end(service, tmp_path):
    """Not even its first picture is shown, for hours."""
    path = str(
        write_video(
            tmp_path / 'still.mkv',
            audio=None,
            frame_times=[0, 1, 2, 15_000],
            options=dict(bf='0'),
            container_options=dict(live='1'),  # without a length
        )
    )
    assert probe_video(path).duration_s is None
    text = refusal(service, path, 'noise', None, 'native')
    assert 'its pictures may last at most 10 s' in text


def test_too_long_sound(service, clip, tmp_path):
    """Beside short pictures, and instead of the sound of a clip."""
    longer = str(write_video(tmp_path / 'longer.mp4', 2, audio_seconds=20))
    assert probe_video(longer).duration_s == pytest.approx(2, abs=0.1)
    message = (
        'longer.mp4 is too long: its sound may last at most 10 s on this page'
    )
    for given in (
        [longer],
        [longer, 'silence'],
        [clip, 'another', longer],
    ):
        assert refusal(service, *given) == message


def test_too_long_silence_is_not_read(service, clip, tmp_path, monkeypatch):
    """A small file can hold hours of it."""
    path = str(tmp_path / 'hour.flac')
    soundfile.write(path, np.zeros(3600 * 8000, np.int16), 8000)
    read = []
    real = limits.placed_samples

    def blocks(*arguments, **options):
        for block in real(*arguments, **options):
            read.append(block.end / block.rate_hz)
            yield block

    monkeypatch.setattr(limits, 'placed_samples', blocks)
    text = refusal(service, clip, 'another', path)
    assert text.startswith('hour.flac is too long: its sound')
    assert read[-1] < 13


def test_old_results_go(service, clip, monkeypatch):
    def write(inferencer, source, folder, **options):
        folder.mkdir(parents=True)
        files = dict(overlay='overlay.mp4', timeline='timeline.png')
        return dict(files=files, summary=defaultdict(float))

    monkeypatch.setattr(web_service, 'write_prediction', write)
    for _ in range(6):
        latest = service.run(clip)
    kept = sorted(path.name for path in service.folder.iterdir())
    assert kept == ['000003', '000004', '000005', '000006']
    assert latest.overlay.parent.name == '000006'


def test_closing_ends_the_run(service, clip):
    """It waits until nothing is written any more."""
    ended = []
    closing = threading.Thread(target=lambda: ended.append(service.close()))

    def progress(done_s, total_s):
        if not closing.ident:
            closing.start()

    with pytest.raises(RefusedClipError, match='page was closed'):
        service.run(clip, fps='native', progress=progress)
    closing.join(10)
    assert ended == [True]
    assert not list(service.folder.iterdir())


def test_closing_ends_a_scan(service, clip, tmp_path, monkeypatch):
    real = limits.placed_samples

    def blocks(*arguments, **options):
        service._is_closed = True
        return real(*arguments, **options)

    monkeypatch.setattr(limits, 'placed_samples', blocks)
    assert refusal(service, clip) == 'The page was closed'
    assert not service.folder.exists()


def test_closing_does_not_wait_for_ever(service, clip, monkeypatch):
    """Where something is read that does not end."""
    begun, end = threading.Event(), threading.Event()

    def write(*arguments, **options):
        begun.set()
        end.wait(10)
        raise RuntimeError

    monkeypatch.setattr(web_service, 'write_prediction', write)
    run = threading.Thread(target=lambda: refusal(service, clip))
    run.start()
    assert begun.wait(10)
    assert not service.close(patience_s=0.05)
    end.set()
    run.join(10)


def test_examples(tmp_path):
    first, second = write_examples(tmp_path / 'examples')
    for path in (first, second):
        info = probe_video(path)
        assert (info.height, info.width) == (224, 224)
        assert info.duration_s == pytest.approx(5, abs=0.1)
    assert not np.allclose(heard(first, 5), heard(second, 5), atol=0.05)
