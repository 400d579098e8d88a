"""The page, as it answers requests."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import webdemo
from PIL import Image
from video_files import write_video
from web.examples import write_examples
from web.limits import Limits
from web.service import ClipService

from mmavs.datasets.videos import probe_video

ROOT = Path(__file__).resolve().parents[2]
MAX_MEGABYTES = 0.5
NEEDS_GRADIO = 'needs Gradio: pip install mmavs[web]'


@pytest.fixture(scope='module')
def served(small_inferencer, free_port, tmp_path_factory):
    """A page that is served by this process."""
    pytest.importorskip('gradio', reason=NEEDS_GRADIO)
    from web.page import build_page

    folder = tmp_path_factory.mktemp('page')
    service = ClipService(
        small_inferencer, folder / 'results', Limits(MAX_MEGABYTES, 10)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('GRADIO_TEMP_DIR', str(folder / 'files'))
        patch.setenv('NO_PROXY', '127.0.0.1')
        page = build_page(service, 'small', write_examples(folder / 'made'))
        webdemo.launch(page, '127.0.0.1', free_port, MAX_MEGABYTES)
        yield page, service
        page.close(verbose=False)


@pytest.fixture
def address(served):
    return served[0].local_url


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
    assert 'role="alert"' in text and 'no sound' in text
    assert '<b>' not in text and str(tmp_path) not in text
    assert len(table_of(table)) == 1
    long = write_video(tmp_path / 'long.mp4', 12, fps=2)
    assert 'at most 10 s' in segment(long)[2]['value']
    assert segment(None)[2]['value'].count('upload or record it') == 1


@pytest.fixture
def visitor(address):
    """Somebody who writes requests themselves."""
    httpx = pytest.importorskip('httpx', reason=NEEDS_GRADIO)
    with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
        yield client


def ask(visitor, path, fps='1', num_samples=0):
    """Have a file segmented that is on the server."""
    video = dict(path=str(path), meta={'_type': 'gradio.FileData'})
    event = visitor.post(
        '/gradio_api/call/segment',
        json=dict(data=[video, 'matched', None, fps, num_samples]),
    ).json()['event_id']
    return visitor.get(f'/gradio_api/call/segment/{event}').text


def test_what_a_visitor_may_not_do(visitor, clip):
    """Send too much, choose what is not offered."""
    for size, status in ((600_000, 413), (400_000, 200)):
        answer = visitor.post(
            '/gradio_api/upload', files=dict(files=('a', bytes(size)))
        )
        assert answer.status_code == status
    (path,) = visitor.post(
        '/gradio_api/upload',
        files=dict(files=('a.mp4', Path(clip).read_bytes())),
    ).json()
    assert 'event: complete' in ask(visitor, path)
    assert 'not in the list' in ask(visitor, path, fps='1000')
    assert 'greater than maximum' in ask(visitor, path, num_samples=10_000)


def test_visitors_have_their_own_only(segment, served, visitor, clip):
    """Neither what others uploaded and got, nor what else is on the disk."""
    overlay = Path(segment(clip)[0])
    assert overlay.exists()
    _, service = served
    results = sorted(service.folder.rglob('*.*'))
    names = {path.name for path in results}
    assert {'result.json', 'overlay.mp4', 'timeline.png'} <= names
    files = service.folder.parent / 'files'
    for path in [*results, files, Path(clip), ROOT / 'README.md']:
        assert path.exists()
        answer = visitor.get(f'/gradio_api/file={path}')
        assert answer.status_code == 403, path
    for path in (service.folder.parent / 'results' / '000001', Path(clip)):
        answer = ask(visitor, path)
        assert 'event: error' in answer and str(path) not in answer


@pytest.mark.parametrize(
    'name',
    ['../../evil.mp4', '/evil.mp4', '..', 'a\nb.mp4', '-evil.mp4', 'a;b|c'],
)
def test_a_name_does_not_choose_the_folder(served, visitor, clip, name):
    """Whatever an upload is called, it goes where all of them go."""
    _, service = served
    folder = service.folder.parent
    before = set(folder.parent.iterdir())
    answer = visitor.post(
        '/gradio_api/upload',
        files=dict(files=(name, Path(clip).read_bytes())),
    )
    assert set(folder.parent.iterdir()) == before
    assert not Path('/evil.mp4').exists()
    if name == '..':  # no name at all
        assert answer.status_code == 400
        return
    path = Path(*answer.json())
    assert path.read_bytes() == Path(clip).read_bytes()
    assert path.resolve().is_relative_to((folder / 'files').resolve())
    assert '\n' not in path.name and not path.name.startswith('..')
    assert 'event: complete' in ask(visitor, path)


def test_an_example(segment, served, visitor):
    """The file that the page offers is as good as one that is uploaded."""
    page, _ = served
    (dataset,) = (
        part
        for part in page.get_config_file()['components']
        if part['type'] == 'dataset'
    )
    ((sample,), _) = dataset['props']['samples']
    path = sample['path'] if isinstance(sample, dict) else sample
    assert visitor.get(f'/gradio_api/file={path}').status_code == 200
    assert 'event: complete' in ask(visitor, path)


def test_nothing_is_shared(segment):
    config = segment.session.config
    assert config['analytics_enabled'] is False
    assert not config.get('space_id') and not config.get('run_history')
    text = json.dumps(config)
    assert 'fonts.googleapis' not in text and '"share"' not in text


def test_a_port_that_is_taken(address, capsys):
    from web.page import build_page

    port = urlsplit(address).port
    with pytest.raises(SystemExit):
        webdemo.launch(
            build_page(ClipService(None, 'a', Limits()), 'a'),
            '127.0.0.1',
            port,
            MAX_MEGABYTES,
        )
    assert f'error: --host 127.0.0.1 --port {port}' in capsys.readouterr().err


@pytest.mark.parametrize('text', ['0', '-1', 'inf', 'nan'])
def test_limits_are_above_zero(text):
    assert webdemo.positive('0.5') == 0.5
    with pytest.raises(argparse.ArgumentTypeError, match=text):
        webdemo.positive(text)


def test_an_end_in_any_case(tmp_path, monkeypatch):
    """A run that does not stop ends with the process, and leaves nothing."""
    monkeypatch.setattr(os, '_exit', sys.exit)
    folder = tmp_path / 'page'
    folder.mkdir()
    webdemo.end(SimpleNamespace(close=lambda: True), folder)
    assert folder.exists()
    with pytest.raises(SystemExit):
        webdemo.end(SimpleNamespace(close=lambda: False), folder)
    assert not folder.exists()


def test_nobody_else_is_asked():
    """The server connects to nothing, whoever wants it to."""
    code = """
import asyncio, logging, socket, sys
from web.local_only import stay_local
stay_local('127.0.0.1')
def refused(ask):
    try:
        ask()
    except PermissionError:
        return True
assert refused(lambda: socket.create_connection(('192.0.2.1', 80), 1))
assert refused(lambda: socket.getaddrinfo('example.org', 80))
assert refused(lambda: socket.gethostbyname('example.org'))
assert refused(lambda: socket.getaddrinfo(b'example.org', 80))
for host in ('192.0.2.1', '2001:db8::1', 'example.org'):
    assert refused(lambda: asyncio.run(asyncio.open_connection(host, 80)))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
    assert refused(lambda: datagrams.sendto(b'a', ('192.0.2.1', 53)))
with socket.create_server(('127.0.0.1', 0)) as server:
    for host in ('127.0.0.1', 'localhost'):
        socket.create_connection((host, server.getsockname()[1]), 1).close()
try:
    import uvloop
except ImportError:
    print('done')
"""
    run = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        cwd=ROOT / 'tools',
    )
    assert run.stdout == 'done\n', run.stderr
    assert 'not connected to 192.0.2.1' in run.stderr


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(config='nope'), "config 'nope' is neither a file"),
        (dict(checkpoint='nope.pth'), '--checkpoint nope.pth is not a file'),
    ],
)
def test_a_model_that_is_not_there(changes, message, monkeypatch, capsys):
    options = dict(config='mmvae_tiny_s4', checkpoint='nope.pth') | changes
    arguments = [x for k, v in options.items() for x in (f'--{k}', v)]
    monkeypatch.setattr(sys, 'argv', ['webdemo.py', *arguments])
    with pytest.raises(SystemExit) as end:
        webdemo.main()
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_without_gradio():
    """One line that says what to install."""
    code = (
        "import runpy, sys; sys.modules['gradio'] = None\n"
        "sys.argv = ['webdemo.py', '--config', 'mmvae_tiny_s4',"
        f' "--checkpoint", {str(ROOT / "README.md")!r}]\n'
        f'sys.path.insert(0, {str(ROOT / "tools")!r})\n'
        f'runpy.run_path({str(ROOT / "tools/webdemo.py")!r}, '
        "run_name='__main__')"
    )
    run = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert run.returncode == 1
    assert run.stderr == 'webdemo.py needs Gradio: pip install mmavs[web]\n'
