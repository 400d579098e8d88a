"""The page, as it works in a browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from PIL import Image
from video_files import write_video

ROOT = Path(__file__).resolve().parents[2]
NEEDS_GRADIO = 'needs Gradio: pip install mmavs[web]'
pytestmark = pytest.mark.browser


@pytest.fixture(scope='module')
def log(tmp_path_factory):
    """What the script prints."""
    return tmp_path_factory.mktemp('log') / 'log.txt'


@pytest.fixture(scope='module')
def script(tmp_path_factory, small_inferencer, free_port, log):
    """The page of the script, in a process of its own."""
    pytest.importorskip('gradio', reason=NEEDS_GRADIO)
    folder = tmp_path_factory.mktemp('script')
    config, checkpoint = folder / 'small.py', folder / 'small.pth'
    small_inferencer.config.dump(config)
    torch.save(
        dict(state_dict=small_inferencer.model.state_dict()), checkpoint
    )
    with log.open('w') as stream:
        process = subprocess.Popen(
            [
                *(sys.executable, str(ROOT / 'tools/webdemo.py')),
                *('--config', str(config), '--checkpoint', str(checkpoint)),
                *('--port', str(free_port), '--max-megabytes', '0.5'),
                *('--max-seconds', '10', '--device', 'cpu'),
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
        yield f'http://127.0.0.1:{free_port}/'
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

    def text(self, part):
        return self.all(f'#{part}')[0].text

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


def test_another_clip_while_one_is_segmented(browser, script, tmp_path):
    """What comes out of the one before does not stand under it."""
    page = Page(browser, script)
    page.upload('clip', write_video(tmp_path / 'first.mp4', 9, fps=30))
    page.wait.until(lambda _: page.all('#clip video'))
    page.choose('fps', 'every frame')
    page.run()
    page.wait.until(lambda _: 's are done' in page.text('overlay'))
    page.all('#clip [aria-label=Clear]')[0].click()
    page.upload('clip', write_video(tmp_path / 'second.mp4', 2))
    page.wait.until(lambda _: page.all('#clip video'))
    page.choose('fps', '1 a second')
    page.run()
    seen = set()

    def is_done(_):
        seen.add(page.duration_s())
        return page.rows() and page.duration_s()

    page.wait.until(is_done)
    assert [row[3] for row in page.rows()] == ['2.0 s']
    assert max(filter(None, seen | {page.duration_s()})) < 3


def test_too_large_a_file_in_a_browser(browser, script, tmp_path):
    page = Page(browser, script)
    (tmp_path / 'big.mp4').write_bytes(bytes(600_000))
    page.upload('clip', tmp_path / 'big.mp4')
    text = 'File(s) exceed the maximum allowed size'
    page.wait.until(
        lambda _: text in browser.find_element('tag name', 'body').text
    )
    assert not page.all('#clip video')


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


def test_the_server_fetches_nothing(script, log):
    """Whoever asks it to: Gradio would fetch what is public."""
    httpx = pytest.importorskip('httpx', reason=NEEDS_GRADIO)
    with httpx.Client(base_url=script, trust_env=False, timeout=30) as client:
        link = 'http://example.org/a.mp4'
        video = dict(path=link, meta={'_type': 'gradio.FileData'})
        event = client.post(
            '/gradio_api/call/segment',
            json=dict(data=[video, 'matched', None, '1', 0]),
        ).json()['event_id']
        answer = client.get(f'/gradio_api/call/segment/{event}').text
        assert 'event: error' in answer
        assert log.read_text().count('not connected to') == 1
        assert client.get(f'/gradio_api/file={link}').status_code == 403
        assert log.read_text().count('not connected to') == 2
