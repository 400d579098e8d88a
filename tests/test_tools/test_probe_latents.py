"""tools/analysis_tools/latents.py: what it writes and what it says."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from small_network import write_small_network


@pytest.fixture
def latents(analysis_tool):
    return analysis_tool('latents')


@pytest.fixture
def options(synthetic_root):
    return (
        '--cfg-options',
        f'test_dataloader.dataset.data_root={synthetic_root}/Single-source',
        'test_dataloader.num_workers=0',
        'test_dataloader.persistent_workers=False',
    )


def test_files_of_a_run(latents, tmp_path, options, capsys):
    config, weights = write_small_network(tmp_path)
    latents(
        *(config, weights, '--out', tmp_path / 'out', '--fit-split', 'val'),
        *('--conditions', 'twin', 'silence', '--bootstrap', '20', *options),
    )
    names = {path.name for path in (tmp_path / 'out').iterdir()}
    assert names == {'latents.json', 'latents.md', 'latents.png'}
    content = json.loads((tmp_path / 'out' / 'latents.json').read_text())
    assert content['config'] == str(config)
    assert content['checkpoint'] == str(weights)
    assert content['fit_split'] == 'val' and content['split'] == 'test'
    for code in ('visual_specific', 'audio_specific', 'shared'):
        scores = content['probes'][code].values()
        areas = {score['auc']['value'] for score in scores} - {None}
        assert areas and all(0 <= area <= 1 for area in areas)
        assert set(content['movement'][code]) == {'twin', 'silence'}
    assert content['movement']['visual_specific']['silence']['value'] == 0
    with Image.open(tmp_path / 'out' / 'latents.png') as picture:
        assert min(picture.size) > 300
    said = capsys.readouterr().out
    assert 'visual_specific' in said and 'latents.md' in said


def test_what_cannot_be_read_is_one_line(latents, tmp_path, options):
    config, _ = write_small_network(tmp_path)
    with pytest.raises(SystemExit, match='error: .*mmvae_nothing'):
        latents('mmvae_nothing', 'no.pth', '--out', tmp_path)
    with pytest.raises(SystemExit, match="error: .*got 'loud'"):
        latents(
            *(config, 'no.pth', '--out', tmp_path, '--conditions', 'loud'),
            *options,
        )
