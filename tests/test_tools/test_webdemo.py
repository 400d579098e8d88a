"""The page: limits, results, and what a browser shows and asks for."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from PIL import Image
from video_files import write_video

from mmavs.apis import AVSInferencer
from mmavs.datasets.videos import probe_video, read_audio
from mmavs.functional.sounds import white_noise

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
import webdemo  # noqa: E402
from web import service as web_service  # noqa: E402
from web.examples import write_examples  # noqa: E402
from web.service import ClipService, RefusedClipError  # noqa: E402

SMALL = {
    'model.audio_backbone.init_cfg': None,
    'model.audio_backbone.width': 0.05,
    'model.backbone.base_channels': 8,
    'model.neck.in_channels': (8, 16, 32, 64),
}
MAX_MEGABYTES, MAX_SECONDS = 0.5, 10
NEEDS_GRADIO = 'needs Gradio: pip install mmavs[web]'


@pytest.fixture(scope='module')
def inferencer():
    """The tiny model with random weights."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # they are random
        return AVSInferencer(
            str(ROOT / 'configs/mmvae_tiny_s4.py'), cfg_options=SMALL
        )


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    return str(write_video(tmp_path_factory.mktemp('clip') / 'a b.mp4', 3))


@pytest.fixture
def service(inferencer, tmp_path):
    return ClipService(
        inferencer, tmp_path / 'results', MAX_MEGABYTES, MAX_SECONDS
    )


def heard(path, seconds):
    return read_audio(path, 0, seconds).waveform


def likeness(a, b):
    return np.corrcoef(a, b)[0, 1]


# ------------------------------------------------------------- the service


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
    again = service.run(clip, fps='5', num_samples=3)
    assert again.uncertainty == run.uncertainty
    assert again.area_share == run.area_share
    run = service.run(clip, fps='native')
    assert run.num_frames == 48 and run.uncertainty is None


def test_what_is_refused(service, clip, tmp_path):
    def refused(*arguments):
        with pytest.raises(RefusedClipError) as error:
            service.run(*arguments)
        assert str(tmp_path) not in str(error.value)
        return str(error.value)

    assert 'upload or record' in refused(None)
    assert 'upload that clip' in refused(clip, 'another')
    (tmp_path / 'text.mp4').write_text('not a video')
    assert refused(str(tmp_path / 'text.mp4')).startswith('text.mp4 cannot')
    assert 'text.mp4' in refused(clip, 'another', str(tmp_path / 'text.mp4'))
    mute = write_video(tmp_path / 'mute.mp4', 2, audio=None)
    assert re.match('mute.mp4 .*no audio track', refused(str(mute)))
    assert service.run(str(mute), 'noise').num_frames == 2
    gone = refused(str(tmp_path / 'gone.mp4'))
    assert gone == 'gone.mp4 is not here any more: upload it again'


def test_limits(service, tmp_path, monkeypatch):
    path = str(write_video(tmp_path / 'long.mp4', 12, fps=2))
    message = r'long.mp4 lasts 1[12]\.. s, clips .* at most 10 s'
    with pytest.raises(RefusedClipError, match=message):
        service.run(path)
    # The header says nothing: the clip ends the run itself.
    real = web_service.probe_video(path)
    monkeypatch.setattr(
        web_service,
        'probe_video',
        lambda path: type(real)(**{**vars(real), 'duration_s': None}),
    )
    with pytest.raises(RefusedClipError, match=message):
        service.run(path)
    assert not list(service.folder.iterdir())
    (tmp_path / 'big.mp4').write_bytes(bytes(600_000))
    with pytest.raises(RefusedClipError, match=r'big.mp4 has 0.6 MB.*0.5 MB'):
        service.run(str(tmp_path / 'big.mp4'))
    with pytest.raises(RefusedClipError, match=r'big.mp4 has 0.6 MB.*0.5 MB'):
        service.run(path, 'another', str(tmp_path / 'big.mp4'))


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
    closing = threading.Thread(target=service.close)
    with pytest.raises(RefusedClipError, match='page was closed'):
        service.run(clip, fps='native', progress=lambda *_: closing.start())
    closing.join(10)
    assert not closing.is_alive()
    assert not list(service.folder.iterdir())


def test_examples(tmp_path):
    first, second = write_examples(tmp_path / 'examples')
    for path in (first, second):
        info = probe_video(path)
        assert (info.height, info.width) == (224, 224)
        assert info.duration_s == pytest.approx(5, abs=0.1)
    assert not np.allclose(heard(first, 5), heard(second, 5), atol=0.05)


# ---------------------------------------------------------- the whole page


def free_port():
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


@pytest.fixture(scope='module')
def address(inferencer, tmp_path_factory):
    """A page that is served by this process."""
    pytest.importorskip('gradio', reason=NEEDS_GRADIO)
    from web.page import build_page

    folder = tmp_path_factory.mktemp('page')
    service = ClipService(
        inferencer, folder / 'results', MAX_MEGABYTES, MAX_SECONDS
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('GRADIO_TEMP_DIR', str(folder / 'files'))
        patch.setenv('NO_PROXY', '127.0.0.1')
        page = build_page(service, 'small')
        webdemo.launch(page, folder, '127.0.0.1', free_port(), MAX_MEGABYTES)
        yield page.local_url
        page.close(verbose=False)


@pytest.fixture
def segment(address):
    """Call the page as its script does, in a session of its own."""
    client = pytest.importorskip('gradio_client', reason=NEEDS_GRADIO)
    session = client.Client(address, verbose=False)

    def call(video, sound='matched', other=None, fps='1', num_samples=0):
        video, other = (
            path and client.handle_file(str(path)) for path in (video, other)
        )
        return session.predict(
            *(video, sound, other, fps, num_samples), api_name='/segment'
        )

    call.session = session
    return call


def table_of(text):
    return [
        re.findall(r'<td[^>]*>(.*?)</td>', row)
        for row in re.findall(r'<tr>(.*?)</tr>', text)
        if '<td' in row
    ]


def test_runs_on_one_clip_are_compared(segment, clip, tmp_path):
    overlay, timeline, message, table = segment(clip)
    assert probe_video(overlay).duration_s == pytest.approx(3, abs=0.1)
    with Image.open(timeline) as picture:
        assert picture.width > 500
    assert message['visible'] is False
    (row,) = table_of(table)
    assert row[0] == 'its own' and row[3:5] == ['3.0 s', '3']
    assert re.fullmatch(r'\d+\.\d %', row[5])
    *_, table = segment(clip, 'silence', fps='5', num_samples=2)
    rows = table_of(table)
    assert rows[0] == row
    assert rows[1][:5] == ['silence', '5', '2', '3.0 s', '15']
    assert float(rows[1][6]) > 0
    # Another clip is compared with nothing before.
    other = write_video(tmp_path / '<i>.mp4', 2)
    *_, table = segment(other, 'another', clip)
    ((name, *_),) = table_of(table)
    assert name == 'a b.mp4'
    # Visitors do not see each other's.
    assert len(table_of(segment(clip)[-1])) == 1


def test_refusals_are_shown(segment, clip, tmp_path):
    segment(clip)
    mute = write_video(tmp_path / 'm & <b>.mp4', 2, audio=None)
    overlay, timeline, message, table = segment(mute)
    assert overlay is None and timeline is None
    assert message['visible'] is True
    text = message['value']
    assert 'role="alert"' in text and 'no audio track' in text
    assert '<b>' not in text and str(tmp_path) not in text
    assert len(table_of(table)) == 1
    long = write_video(tmp_path / 'long.mp4', 12, fps=2)
    assert 'at most 10 s' in segment(long)[2]['value']
    assert segment(None)[2]['value'].count('upload or record it') == 1


def test_what_a_client_may_not_do(address, clip):
    """Send too much, have an address fetched, read the server's files."""
    httpx = pytest.importorskip('httpx', reason=NEEDS_GRADIO)
    with httpx.Client(base_url=address, trust_env=False) as client:

        def ask(path, fps='1', num_samples=0):
            video = dict(path=path, meta={'_type': 'gradio.FileData'})
            event = client.post(
                '/gradio_api/call/segment',
                json=dict(data=[video, 'matched', None, fps, num_samples]),
            ).json()['event_id']
            return client.get(f'/gradio_api/call/segment/{event}').text

        for size, status in ((600_000, 413), (400_000, 200)):
            answer = client.post(
                '/gradio_api/upload', files=dict(files=('a', bytes(size)))
            )
            assert answer.status_code == status
        (path,) = client.post(
            '/gradio_api/upload',
            files=dict(files=('a.mp4', Path(clip).read_bytes())),
        ).json()
        assert 'event: complete' in ask(path)
        assert 'not in the list' in ask(path, fps='1000')
        assert 'greater than maximum' in ask(path, num_samples=10_000)
        assert 'not uploaded' in ask(clip)
        with socket.create_server(('127.0.0.1', 0)) as server:
            link = f'http://127.0.0.1:{server.getsockname()[1]}/a.mp4'
            assert 'must be uploaded, not linked' in ask(link)
            server.settimeout(0.5)
            with pytest.raises(TimeoutError):
                server.accept()


def test_nothing_is_shared(segment):
    config = segment.session.config
    assert config['analytics_enabled'] is False
    assert not config.get('space_id') and not config.get('run_history')
    text = json.dumps(config)
    assert 'fonts.googleapis' not in text and '"share"' not in text


def test_a_port_that_is_taken(address):
    from web.page import build_page

    port = urlsplit(address).port
    with pytest.raises(SystemExit, match=f'cannot listen on.*{port}'):
        webdemo.launch(
            build_page(ClipService(None, 'a'), 'a'),
            Path(),
            '127.0.0.1',
            port,
            MAX_MEGABYTES,
        )


@pytest.mark.parametrize('text', ['0', '-1', 'inf', 'nan'])
def test_limits_are_above_zero(text):
    assert webdemo.positive('0.5') == 0.5
    with pytest.raises(argparse.ArgumentTypeError, match=text):
        webdemo.positive(text)


def test_without_gradio(tmp_path):
    """One line that says what to install."""
    code = (
        "import runpy, sys; sys.modules['gradio'] = None\n"
        "sys.argv = ['webdemo.py', '--config', 'a', '--checkpoint', 'b']\n"
        f'sys.path.insert(0, {str(ROOT / "tools")!r})\n'
        f'runpy.run_path({str(ROOT / "tools/webdemo.py")!r}, '
        "run_name='__main__')"
    )
    run = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert run.returncode == 1
    assert run.stderr == 'webdemo.py needs Gradio: pip install mmavs[web]\n'


# ------------------------------------------------------------- the browser


@pytest.fixture(scope='module')
def script(tmp_path_factory, inferencer):
    """The page of the script, in a process of its own."""
    pytest.importorskip('gradio', reason=NEEDS_GRADIO)
    folder = tmp_path_factory.mktemp('script')
    config, checkpoint = folder / 'small.py', folder / 'small.pth'
    inferencer.config.dump(config)
    torch.save(dict(state_dict=inferencer.model.state_dict()), checkpoint)
    port, log = free_port(), folder / 'log.txt'
    with log.open('w') as stream:
        process = subprocess.Popen(
            [
                *(sys.executable, str(ROOT / 'tools/webdemo.py')),
                *('--config', str(config), '--checkpoint', str(checkpoint)),
                *('--port', str(port), '--max-megabytes', str(MAX_MEGABYTES)),
                *('--max-seconds', str(MAX_SECONDS), '--device', 'cpu'),
            ],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=os.environ
            | dict(
                TMPDIR=str(folder),
                HTTP_PROXY='http://127.0.0.1:9',
                GRADIO_SHARE='True',
                GRADIO_ANALYTICS_ENABLED='True',
            ),
        )
    try:
        deadline = time.monotonic() + 120
        while 'Ctrl-C' not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield f'http://127.0.0.1:{port}/'
        assert list(folder.glob('mmavs-webdemo-*'))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    # What was uploaded and made is gone.
    assert not list(folder.glob('mmavs-webdemo-*'))


@pytest.fixture
def browser():
    """A real Chromium without a window."""
    pytest.importorskip('selenium', reason='needs selenium')
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    chromium, driver = map(shutil.which, ('chromium', 'chromedriver'))
    if chromium is None or driver is None:
        pytest.skip('needs chromium and chromedriver')
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        'headless=new',
        'no-sandbox',
        'disable-dev-shm-usage',
        'window-size=1280,1500',
        'use-fake-device-for-media-stream',
        'use-fake-ui-for-media-stream',
    ):
        options.add_argument(f'--{argument}')
    options.set_capability('goog:loggingPrefs', dict(performance='ALL'))
    window = webdriver.Chrome(options=options, service=Service(driver))
    yield window
    window.quit()


class Page:
    """What somebody does on the page."""

    def __init__(self, window, address):
        from selenium.webdriver.support.ui import WebDriverWait

        self.window = window
        self.wait = WebDriverWait(window, 60)
        window.get(address)

    def all(self, selector):
        return self.window.find_elements('css selector', selector)

    def upload(self, part, path):
        self.wait.until(lambda _: self.all(f'#{part} input[type=file]'))
        self.all(f'#{part} input[type=file]')[0].send_keys(str(path))

    def choose(self, part, name):
        (label,) = (x for x in self.all(f'#{part} label') if x.text == name)
        label.click()

    def run(self):
        self.all('#segment')[0].click()

    def duration_s(self):
        return self.window.execute_script(
            "const v = document.querySelector('#overlay video');"
            'return v && v.duration'
        )

    def rows(self):
        return [
            [cell.text for cell in row.find_elements('css selector', 'td')]
            for row in self.all('#runs tbody tr')
        ]

    def requested(self):
        """Where its requests went, and those of what it loaded."""
        return Counter(
            urlsplit(message['params']['request']['url']).netloc
            for message in (
                json.loads(entry['message'])['message']
                for entry in self.window.get_log('performance')
            )
            if message['method'] == 'Network.requestWillBeSent'
            and not message['params']['request']['url'].startswith(
                ('data:', 'blob:')
            )
        )


@pytest.mark.browser
def test_in_a_browser(browser, script, clip, tmp_path):
    page = Page(browser, script)
    page.upload('clip', clip)
    page.wait.until(lambda _: page.all('#clip video'))
    page.run()
    page.wait.until(lambda _: page.duration_s())
    assert page.duration_s() == pytest.approx(3, abs=0.1)
    page.wait.until(lambda _: len(page.rows()) == 1)

    page.choose('sound', 'silence')
    page.run()
    page.wait.until(lambda _: len(page.rows()) == 2)
    page.wait.until(lambda _: page.duration_s())
    assert [row[0] for row in page.rows()] == ['its own', 'silence']
    assert all(row[3:5] == ['3.0 s', '3'] for row in page.rows())
    page.wait.until(
        lambda _: browser.execute_script(
            "const i = document.querySelector('#timeline img');"
            'return i && i.naturalWidth > 500'
        )
    )

    # Without the other clip it says so, and stays as it is.
    assert not page.all('[role=alert]')
    page.choose('sound', "another clip's")
    page.run()
    page.wait.until(lambda _: page.all('[role=alert]'))
    assert "another clip's sound" in page.all('[role=alert]')[0].text
    page.upload('other', write_video(tmp_path / 'other.mp4', 2))
    page.wait.until(lambda _: page.all('#other [download]'))
    page.run()
    page.wait.until(lambda _: len(page.rows()) == 3)
    assert page.rows()[2][0] == 'other.mp4'
    page.wait.until(lambda _: not page.all('[role=alert]'))

    picture = tmp_path / 'page.png'
    assert browser.save_screenshot(str(picture))
    with Image.open(picture) as image:
        assert np.asarray(image.convert('L')).std() > 10
    # Nothing leaves the machine.
    assert set(page.requested()) == {urlsplit(script).netloc}


@pytest.mark.browser
def test_too_large_a_file_in_a_browser(browser, script, tmp_path):
    page = Page(browser, script)
    (tmp_path / 'big.mp4').write_bytes(bytes(600_000))
    page.upload('clip', tmp_path / 'big.mp4')
    text = 'File(s) exceed the maximum allowed size'
    page.wait.until(
        lambda _: text in browser.find_element('tag name', 'body').text
    )
    assert not page.all('#clip video')


@pytest.mark.browser
def test_recording_in_a_browser(browser, script):
    """Chromium's own test picture and beep, as a camera would send them."""
    page = Page(browser, script)
    for part in (
        '[aria-label*=camera]',
        '[title="grant webcam access"]',
        '[aria-label="start recording"]',
    ):
        page.wait.until(lambda _, part=part: page.all(f'#clip {part}'))
        page.all(f'#clip {part}')[0].click()
    time.sleep(3)  # of recording
    page.all('#clip [aria-label="start recording"]')[0].click()
    page.wait.until(lambda _: page.all('#clip video[src*="/file="]'))
    page.run()
    page.wait.until(lambda _: page.rows())
    # As recorded, from the first frame on: a file that says no length.
    ((*_, seconds, frames, _, _),) = page.rows()
    assert seconds == f'{frames}.0 s' and int(frames) in (2, 3, 4, 5)
    assert page.duration_s() == pytest.approx(int(frames), abs=0.9)
