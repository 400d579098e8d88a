"""tools/analysis_tools/listen.py: what it writes and what it says."""

from __future__ import annotations

import json

import pytest
from small_network import write_small_network

from mmavs.evaluation.listening import load_records, summarise_listening

FILES = ('listening.json', 'listening.md', 'listening.png', 'clips.npz')


@pytest.fixture
def listen(analysis_tool):
    return analysis_tool('listen')


@pytest.fixture
def model(tmp_path, synthetic_root):
    """Config, checkpoint and options for the small set."""
    config, weights = write_small_network(tmp_path)
    options = (
        '--cfg-options',
        f'test_dataloader.dataset.data_root={synthetic_root}/Single-source',
        'test_dataloader.num_workers=0',
        'test_dataloader.persistent_workers=False',
    )
    return config, weights, options


def test_files_of_a_run(listen, model, tmp_path, capsys):
    """The same bytes the next time, and all that a report is made of."""
    config, weights, options = model
    arguments = (
        *(config, weights, '--bootstrap', '50'),
        *('--conditions', 'twin', 'swapped', 'silence', 'white_noise@5dB'),
    )
    for out in 'ab':
        listen(*arguments, '--out', tmp_path / out, *options)
    a, b = tmp_path / 'a', tmp_path / 'b'
    names = {path.name for path in a.iterdir()}
    assert names == {*FILES, 'pairs.json'}
    for name in names:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name

    content = json.loads((a / 'listening.json').read_text())
    assert content['config'] == str(config) and content['split'] == 'test'
    assert content['cfg_options']['test_dataloader.num_workers'] == 0
    names = ['matched', 'twin', 'swapped', 'silence', 'white_noise@5dB']
    assert list(content['conditions']) == names
    pairs = json.loads((a / 'pairs.json').read_text())
    records = load_records(a / 'clips.npz')
    assert pairs.keys() == {clip.video_id for clip in records['matched']}
    again = summarise_listening(records, 50, pairs=pairs).to_dict()
    assert again.items() <= content.items()

    said = capsys.readouterr().out
    miou = content['conditions']['twin']['mIoU']['value']
    assert f'{miou:.3f}' in said and 'gap, matched - twin' in said
    assert '…' not in said


def test_results_go_to_the_work_folder(listen, model, tmp_path):
    config, weights, options = model
    work = tmp_path / 'work'
    listen(
        *(config, weights, '--conditions', 'silence', '--bootstrap', '5'),
        *('--work-dir', work, *options),
    )
    folder = work / 'listening' / weights.stem
    assert (folder / 'listening.json').exists()


def test_what_cannot_be_read_is_one_line(listen, model, tmp_path):
    config, _, options = model
    with pytest.raises(SystemExit, match='error: .*no.pth'):
        listen(config, 'no.pth', *options)
    with pytest.raises(SystemExit, match='error: .*mmvae_nothing'):
        listen('mmvae_nothing', 'no.pth')


def test_left_out_sounds_are_told(listen, model, tmp_path, capsys):
    config, weights, options = model
    listen(
        *(config, weights, '--conditions', 'twin', '--bootstrap', '5'),
        *('--out', tmp_path / 'out', *options),
        'test_dataloader.dataset.pairs_file=None',
    )
    assert 'twin left out: no clip of the test set' in capsys.readouterr().out


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['--conditions', 'loud'], "got 'loud'"),
        (['--bootstrap', '0'], "must be 1 or more, got '0'"),
        (['--split', 'train'], 'invalid choice'),
    ],
)
def test_wrong_arguments(listen, capsys, arguments, message):
    with pytest.raises(SystemExit) as error:
        listen('config.py', 'weights.pth', *arguments)
    assert error.value.code == 2
    assert message in capsys.readouterr().err
