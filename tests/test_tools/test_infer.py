"""tools/infer.py: the command line, what it says, and how it ends."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_network import write_small_network
from video_files import write_video

from mmavs.inference.inferencer import AVSInferencer
from mmavs.inference.results import prediction_files

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'tools' / 'infer.py'


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """Arguments for a small network with random weights."""
    config, weights = write_small_network(tmp_path_factory.mktemp('model'))
    return '--config', str(config), '--checkpoint', str(weights)


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """A second and a half, 8 frames a second."""
    folder = tmp_path_factory.mktemp('clip')
    return write_video(
        folder / 'clip.mp4', seconds=1.5, fps=8, rate_hz=16000, layout='mono'
    )


@pytest.fixture
def place(clip, tmp_path, monkeypatch):
    """An empty folder to be in, to which clips can be added by name."""
    monkeypatch.chdir(tmp_path)

    def place(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, path)
        return tmp_path

    return place


@pytest.fixture
def run(model, monkeypatch, capsys):
    """Run the tool in this process; returns status, output, errors.

    What is drawn is not looked at here, and left out.
    """
    monkeypatch.syspath_prepend(SCRIPT.parent)
    spec = importlib.util.spec_from_file_location('infer', SCRIPT)
    tool = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'infer', tool)
    spec.loader.exec_module(tool)
    # The tool has its own, for all of its process.
    monkeypatch.setattr(warnings, 'showwarning', warnings.showwarning)

    def run(*arguments, options=(*model, '--out', 'out')):
        pictures = ('--no-overlay', '--no-timeline')
        command = ['infer.py', *arguments, *options, *pictures]
        monkeypatch.setattr(sys, 'argv', command)
        with pytest.raises(SystemExit) as caught:
            tool.main()
        printed = capsys.readouterr()
        return caught.value.code, printed.out, printed.err

    return run


@pytest.fixture
def bare(tmp_path):
    """Run the script in a process in which torch cannot be imported."""
    poison = tmp_path / 'poison'
    poison.mkdir()
    for name in ('torch', 'mmseg', 'mmengine'):
        (poison / f'{name}.py').write_text('raise SystemExit(99)')

    def bare(*arguments):
        # The folder comes before those of installed packages.
        paths = [str(poison), str(ROOT)]
        done = subprocess.run(
            [sys.executable, str(SCRIPT), *arguments],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    return bare


def results_in(folder):
    """Names of the results, each complete; there is nothing else."""
    for path in folder.iterdir():
        assert {p.name for p in path.iterdir()} >= {'masks', 'result.json'}
    return {path.name for path in folder.iterdir()}


def row_of(text, name):
    """Cells of the row of the table that begins with a name."""
    rows = []
    for line in text.splitlines():
        if not line.startswith('│'):
            continue
        cells = [cell.strip() for cell in line.split('│')[1:-1]]
        if cells[1]:
            rows.append(cells)
        else:
            # The rest of long names.
            rows[-1] = [a + b for a, b in zip(rows[-1], cells)]
    (row,) = [row for row in rows if row[0] == name]
    return row


class TestAtOnce:
    """What does not wait for torch."""

    def test_help(self, bare):
        code, printed, _ = bare('--help')
        assert code == 0
        for words in (
            *('1/16 s', 'windows of T frames', '0.975 s of sound'),
            *('--no-audio-policy', 'silence', 'share N frames'),
            *('exit status', 'result.json', '130 after Ctrl-C'),
            *('OUT/NAME_2', '0.96 (k - 1) s', 'probabilities/*.png'),
        ):
            assert words in printed
        assert max(map(len, printed.splitlines())) < 80

    @pytest.mark.parametrize(
        ('arguments', 'rule'),
        [
            ('a.mp4 --out out', '--config'),
            ('a.mp4 --config mmvae_tiny_s4', '--out'),
            ('--config mmvae_tiny_s4 --out out', 'INPUT'),
            ('a.mp4 --config mmvae_tinys4 --out o', 'are mmvae_tiny_s4'),
            ('a.mp4 --config none.py --out o', "config 'none.py' is neither"),
            ('{} --checkpoint none.pth', '--checkpoint none.pth is not a'),
            ('{} --checkpoint .', '--checkpoint . is not a file'),
            ('{} --fps 0', "above 0, or 'native', got '0'"),
            ('{} --fps fast', "got 'fast'"),
            ('{} --fps 1/0', "got '1/0'"),
            ('{} --fps nan', "got 'nan'"),
            ('{} --overlap -1', '--overlap'),
            ('{} --batch-size 0', '1 at least'),
            ('{} --samples 1.5', 'whole number'),
            ('{} --samples 1', 'or 2 and more: one draw has no spread'),
            ('{} --seed -1', '--seed'),
            ('{} --precision half', "invalid choice: 'half'"),
            ('{} --no-audio-policy none', "invalid choice: 'none'"),
            ('{} --sound loud', "a file, got 'loud'"),
            ('{} --cfg-options a', "KEY=VALUE, got 'a'"),
            ('{} --out poison/torch.py', 'torch.py is not a folder'),
            ('{} --out poison/torch.py/a', 'cannot be made: Not a directory'),
            ('{} --out ' + 300 * 'x', 'cannot be made: File name too'),
            ('{} --frames 5', '--frames'),
            ('{} -x.mp4', '-x.mp4'),
        ],
    )
    def test_typos(self, bare, arguments, rule):
        common = 'a.mp4 --config mmvae_tiny_s4 --out out'
        code, printed, errors = bare(*arguments.format(common).split())
        assert (code, printed) == (2, '')
        (line,) = errors.splitlines()
        assert line.startswith('error: ')
        assert rule in line

    def test_no_input_exists(self, bare):
        options = ('--config', 'mmvae_tiny_s4', '--out', 'out')
        code, printed, errors = bare('a.mp4', 'b é.mp4', *options)
        assert code == 1
        assert printed == '0 inputs done, 2 failed\n'
        assert errors.splitlines() == [
            'a.mp4: does not exist',
            'b é.mp4: does not exist',
        ]


class TestResults:
    def test_table(self, run, place):
        out = place('a.mp4') / 'out'
        code, printed, errors = run('a.mp4', '--fps', '4')
        assert code == 0
        assert results_in(out) == {'a'}
        result = json.loads((out / 'a' / 'result.json').read_text())
        assert [row['time_s'] for row in result['frames']] == [
            k / 4 for k in range(6)
        ]
        name, seconds, frames, share, speed, folder = row_of(printed, 'a.mp4')
        assert (seconds, frames, folder) == ('1.5', '6', 'out/a')
        assert share == f'{result["summary"]["area_share"]:.1%}'
        assert float(speed) > 0
        assert printed.endswith('1 inputs done, 0 failed\n')
        # The bar is on the other stream.
        assert '[1/1] a ' in errors and '1/1 s' in errors
        assert '[1/1]' not in printed

    def test_masks_are_those_of_the_model(self, run, place, model):
        out = place('a.mp4') / 'out'
        code, *_ = run(
            *('a.mp4', '--fps', 'native', '--overlap', '2', '--codes'),
            *('--batch-size', '2', '--samples', '2'),
        )
        assert code == 0
        names = {path.name for path in (out / 'a').iterdir()}
        assert names == {'masks', 'uncertainty', 'codes.npz', 'result.json'}
        run('a.mp4', '--fps', 'native', '--overlap', '2')
        # The older result was replaced.
        names = {path.name for path in (out / 'a').iterdir()}
        assert names == {'masks', 'result.json'}
        inferencer = AVSInferencer(model[1], model[3], 'cpu')
        expected = inferencer('a.mp4', fps='native', overlap=2).masks
        assert expected.shape == (12, 48, 64)
        for k, mask in enumerate(expected):
            with Image.open(out / 'a' / 'masks' / f'{k + 1:06}.png') as image:
                assert np.array_equal(np.asarray(image), 255 * mask)

    def test_settings(self, run, place):
        out = place('a.mp4', 'b.mp4') / 'out'
        code, *_ = run(
            *('a.mp4', '--sound', 'b.mp4', '--no-audio-policy', 'silence'),
            *('--precision', 'bfloat16', '--device', 'cpu'),
            *('--cfg-options', 'test_dataloader.dataset.num_frames=3'),
        )
        assert code == 0
        settings = json.loads((out / 'a' / 'result.json').read_text())[
            'settings'
        ]
        expected = dict(
            num_frames=3,
            sound='b.mp4',
            no_audio_policy='silence',
            precision='bfloat16',
            device='cpu',
            fps=1,
        )
        assert expected.items() <= settings.items()

    def test_draws(self, run, place):
        out = place('a.mp4') / 'out'
        codes = {}
        for seed in (0, 7, 7):
            code, *_ = run('a.mp4', '--samples', '2', '--seed', str(seed))
            assert code == 0
            result = json.loads((out / 'a' / 'result.json').read_text())
            assert result['settings']['seed'] == seed
            assert result['settings']['num_samples'] == 2
            (row,) = result['frames']
            codes.setdefault(seed, set()).add(row['uncertainty'])
        # The same draws, and others.
        assert len(codes[7]) == 1
        assert codes[0] != codes[7]

    def test_draws_of_the_config(self, run, place):
        out = place('a.mp4') / 'out'
        draws = 'model.test_cfg.num_samples=2'
        assert run('a.mp4', '--cfg-options', draws)[0] == 0
        assert (out / 'a' / 'uncertainty').is_dir()

    def test_probabilities(self, run, place):
        out = place('a.mp4') / 'out'
        assert run('a.mp4', '--probabilities')[0] == 0
        with Image.open(out / 'a' / 'probabilities' / '000001.png') as image:
            probability = np.asarray(image)
        with Image.open(out / 'a' / 'masks' / '000001.png') as image:
            assert np.array_equal(probability > 127, np.asarray(image) > 0)

    def test_table_in_a_file(self, run, place):
        name = 150 * 'long ' + '.mp4'
        place('a.mp4', name[:200] + '.mp4')
        code, printed, _ = run('.')
        assert code == 0
        assert max(map(len, printed.splitlines())) <= 120
        # Nothing of a name is lost.
        assert printed.count('long') == 2 * 40
        # It is no wider than it has to be.
        _, printed, _ = run('a.mp4')
        assert max(map(len, printed.splitlines())) < 80

    def test_random_weights_are_told_once(self, run, place, model):
        place('a.mp4', 'b.mp4')
        options = (*model[:2], '--out', 'out')
        code, _, errors = run('a.mp4', 'b.mp4', options=options)
        assert code == 0
        told = [x for x in errors.splitlines() if x.startswith('warning: ')]
        assert len(told) == 1
        assert 'random' in told[0]

    def test_no_sound_is_told(self, run, place):
        folder = place('a.mp4')
        write_video(folder / 'mute.mp4', seconds=1, audio=None)
        policy = ('--no-audio-policy', 'silence')
        code, _, errors = run('a.mp4', 'mute.mp4', *policy)
        assert code == 0
        told = [x for x in errors.splitlines() if x.startswith('warning: ')]
        assert told == ['warning: mute.mp4 has no sound: silence is heard']
        assert results_in(folder / 'out') == {'a', 'mute'}


class TestInputs:
    @pytest.mark.parametrize(
        'name',
        [
            '-9.mp4',
            '-9 é ü.mp4',
            '--fps.mp4',
            '[red]x[bold].mp4',
            'x' * 251 + '.mp4',
            '...mp4',
        ],
    )
    def test_names(self, run, place, name):
        out = place(name) / 'out'
        code, printed, errors = run(name, 'gone.mp4')
        stem = name.removesuffix('.mp4').strip('.') or name
        assert code == 1
        assert 'gone.mp4: does not exist' in errors.splitlines()
        assert results_in(out) == {stem}
        shown = f'./{name}' if name.startswith('-') else name
        assert row_of(printed, shown)[-1] == f'out/{stem}'
        # Beside the bar as much as there is room for.
        assert f'[1/1] {stem[:30]} ' in errors

    def test_names_cannot_act_on_the_terminal(self, run, place):
        name = '\x1b[2J\n.mp4'
        folder = place(name)
        (folder / f'bad{name}').write_bytes(b'garbage')
        code, printed, errors = run(name, f'bad{name}', f'gone{name}')
        assert code == 1
        assert results_in(folder / 'out') == {'\x1b[2J\n'}
        assert '\x1b' not in printed + errors
        lines = errors.splitlines()
        assert r'gone\x1b[2J\n.mp4: does not exist' in lines
        assert any(x.startswith(r'bad\x1b[2J\n.mp4: cannot') for x in lines)

    def test_inputs_on_both_sides_of_the_options(self, run, place, model):
        out = place('a.mp4', 'b.mp4', '-c.mp4') / 'out'
        options = (*model, '--out', 'out', 'b.mp4', '-c.mp4')
        assert run('a.mp4', options=options)[0] == 0
        assert results_in(out) == {'a', 'b', '-c'}

    def test_one_stem(self, run, place):
        out = place('a/x.mp4', 'b/x.mp4') / 'out'
        code, printed, _ = run('a/x.mp4', 'b/x.mp4')
        assert code == 0
        assert results_in(out) == {'x', 'x_2'}
        for name, folder in (('a/x.mp4', 'x'), ('b/x.mp4', 'x_2')):
            assert row_of(printed, name)[-1] == f'out/{folder}'
            result = json.loads((out / folder / 'result.json').read_text())
            assert result['input']['source'] == name

    def test_one_stem_one_after_the_other(self, run, place, monkeypatch):
        folder = place('a/x.mp4', 'b/x.mp4')

        def sources():
            return {
                path.name: json.loads((path / 'result.json').read_text())[
                    'input'
                ]
                for path in (folder / 'out').iterdir()
            }

        for name in ('a/x.mp4', 'b/x.mp4'):
            code, *_ = run(name)
            assert code == 0
        first = sources()
        assert {k: v['source'] for k, v in first.items()} == {
            'x': 'a/x.mp4',
            'x_2': 'b/x.mp4',
        }
        # Found again, also from elsewhere and by another name.
        (folder / 'c').symlink_to(folder / 'b')
        monkeypatch.chdir(folder / 'a')
        code, printed, _ = run('../c/x.mp4', '--fps', '2')
        assert code == 0
        assert results_in(folder / 'a' / 'out') == {'x'}
        shutil.rmtree(folder / 'a' / 'out')
        (folder / 'a' / 'out').symlink_to(folder / 'out')
        code, printed, _ = run('../c/x.mp4', 'x.mp4')
        assert code == 0
        assert row_of(printed, '../c/x.mp4')[-1] == 'out/x_2'
        assert row_of(printed, 'x.mp4')[-1] == 'out/x'
        second = sources()
        assert second['x_2']['source'] == '../c/x.mp4'
        for name, facts in second.items():
            assert facts['path'] == first[name]['path']

    def test_folder_of_that_name(self, run, place):
        out = place('a.mp4') / 'out'
        (out / 'a').mkdir(parents=True)
        (out / 'a' / 'notes').write_text('mine')
        for _ in range(2):
            assert run('a.mp4')[0] == 0
            assert {path.name for path in out.iterdir()} == {'a', 'a_2'}
        assert [path.name for path in (out / 'a').iterdir()] == ['notes']

    def test_the_same_input_twice(self, run, place):
        folder = place('videos/a.mp4')
        (folder / 'link.mp4').symlink_to(folder / 'videos' / 'a.mp4')
        code, printed, _ = run('videos/a.mp4', 'videos', 'link.mp4')
        assert code == 0
        assert results_in(folder / 'out') == {'a'}
        assert '1 inputs done' in printed

    def test_results_in_the_folder_of_the_inputs(self, run, place, model):
        folder = place('2.mp4', '10.mp4')
        for _ in range(2):
            code, printed, _ = run('.', options=(*model, '--out', '.'))
            assert code == 0
            assert '2 inputs done, 0 failed' in printed
        # In the order in which people count.
        assert printed.index('2.mp4') < printed.index('10.mp4')
        names = {path.name for path in folder.iterdir()}
        assert names == {'2.mp4', '10.mp4', '2', '10'}


class TestFailures:
    def test_do_not_hurt_the_others(self, run, place):
        folder = place('a.mp4', 'z.mp4')
        (folder / 'bad.mp4').write_bytes(b'garbage' * 500)
        write_video(folder / 'mute.mp4', seconds=1, audio=None)
        (folder / 'empty').mkdir()
        run('z.mp4')
        (folder / 'out' / 'z' / 'masks' / 'notes.png').write_text('mine')
        code, printed, errors = run(
            *('bad.mp4', 'gone.mp4', 'mute.mp4', 'empty', 'z.mp4', 'a.mp4')
        )
        assert code == 1
        assert printed.endswith('1 inputs done, 5 failed\n')
        reasons = {
            'bad.mp4': 'cannot be read',
            'gone.mp4': 'does not exist',
            'mute.mp4': 'has no audio track',
            'empty': 'has neither videos',
            'z.mp4': 'masks/notes.png',
        }
        lines = errors.splitlines()
        for name, text in reasons.items():
            (line,) = [x for x in lines if x.startswith(f'{name}: ')]
            assert text in line
            # The name is not told twice.
            assert line.count(name) == 1
            # Again when the bars are over.
            assert lines.count(f'failed: {line}') == 1
        assert all(line.startswith('failed: ') for line in lines[-5:])
        # Named as options are here.
        (line,) = [x for x in lines if x.startswith('mute.mp4: ')]
        assert '--no-audio-policy silence' in line
        assert "='" not in line and 'no_audio' not in line
        assert {p.name for p in (folder / 'out').iterdir()} == {'a', 'z'}
        notes = folder / 'out' / 'z' / 'masks' / 'notes.png'
        assert notes.read_text() == 'mine'

    def test_surprises_are_told_with_their_type(self, run, place, monkeypatch):
        out = place('a.mp4', 'b.mp4', 'c.mp4') / 'out'
        write = prediction_files.write_prediction
        errors = {'a.mp4': RuntimeError('boom\nand more'), 'b.mp4': KeyError()}

        def fail(inferencer, source, folder, **options):
            if source in errors:
                raise errors[source]
            return write(inferencer, source, folder, **options)

        monkeypatch.setattr(prediction_files, 'write_prediction', fail)
        code, printed, said = run('a.mp4', 'b.mp4', 'c.mp4')
        assert code == 1
        assert 'a.mp4: RuntimeError: boom and more' in said.splitlines()
        assert 'b.mp4: KeyError' in said.splitlines()
        assert results_in(out) == {'c'}
        assert '1 inputs done, 2 failed' in printed

    @pytest.mark.parametrize(
        ('options', 'rule'),
        [
            (('--overlap', '5'), 'overlap must be'),
            (('--fps', '1001'), 'fps must be'),
            (('--device', 'gpu'), 'cpu, cuda, cuda:1, ... as there are'),
            (('--device', 'cuda:99'), "got 'cuda:99' ("),
            (('--sound', 'bad.mp4'), '--sound bad.mp4: cannot be read'),
            (('--sound', 'mute.mp4'), '--sound mute.mp4: has no audio track'),
            (('--sound', 'still.mp4'), 'still.mp4: is silent all through'),
            (('--sound', 'short.mp4'), 'needs at least 15600'),
            (('--cfg-options', 'model.type=None'), 'error: '),
            (('--cfg-options', 'model.backbone.base_channels=4'), 'not fit'),
        ],
    )
    def test_settings_that_do_not_fit(self, run, place, options, rule):
        folder = place('a.mp4')
        (folder / 'bad.mp4').write_bytes(b'garbage' * 500)
        write_video(folder / 'mute.mp4', seconds=1, audio=None)
        write_video(folder / 'still.mp4', seconds=1, loudness=0)
        write_video(folder / 'short.mp4', seconds=0.5)
        code, printed, errors = run('a.mp4', *options)
        assert (code, printed) == (2, '')
        (line,) = errors.splitlines()
        assert line.startswith('error: ')
        assert rule in line
        assert not (folder / 'out').exists()

    @pytest.mark.parametrize('option', [('--codes',), ('--samples', '2')])
    def test_codes_of_a_model_without_any(self, run, place, option):
        folder = place('a.mp4')
        code, printed, errors = run(
            *('a.mp4', '--config', 'ablations/mmvae_tiny_s4_tpavi'),
            *('--cfg-options', 'model.audio_backbone.width=0.05'),
            options=('--out', 'out', *option),
        )
        assert (code, printed) == (2, '')
        line = errors.splitlines()[-1]
        assert line.startswith('error: ')
        assert 'no latent codes' in line
        assert not (folder / 'out').exists()

    def test_out_that_cannot_be_written(self, run, place, model, monkeypatch):
        folder = place('a.mp4')
        (folder / 'out').mkdir()
        # What shows only when it is made.
        out = 'new/' + 300 * 'x'
        code, printed, errors = run('a.mp4', options=(*model, '--out', out))
        assert (code, printed) == (2, '')
        assert (
            errors
            == f'error: --out {out} cannot be made: File name too long\n'
        )
        monkeypatch.setattr('os.access', lambda path, mode: False)
        for out in ('out', 'out/new'):
            options = (*model, '--out', out)
            code, printed, errors = run('a.mp4', options=options)
            assert (code, printed) == (2, '')
            assert errors == (
                f'error: --out {out} cannot be written: {folder / "out"} is '
                'not writable\n'
            )

    @pytest.mark.parametrize('content', [b'', b'no weights', None])
    def test_checkpoint_that_is_none(self, run, place, model, content):
        folder = place('a.mp4')
        if content is None:
            torch.save(dict(state_dict={}), folder / 'w.pth')
        else:
            (folder / 'w.pth').write_bytes(content)
        options = (*model[:2], '--checkpoint', 'w.pth', '--out', 'out')
        code, printed, errors = run('a.mp4', options=options)
        assert (code, printed) == (2, '')
        (line,) = errors.splitlines()
        assert line.startswith('error: ')
        assert 'w.pth' in line


class TestInterrupted:
    def test_while_a_video_is_segmented(self, run, place, monkeypatch):
        out = place('a.mp4', 'b.mp4', 'c.mp4') / 'out'
        assert run('b.mp4')[0] == 0
        before = (out / 'b' / 'result.json').read_bytes()
        stream = AVSInferencer.stream

        def interrupted(self, recording, **options):
            for prediction in stream(self, recording, **options):
                yield prediction
                if recording.name == 'b':
                    raise KeyboardInterrupt

        monkeypatch.setattr(AVSInferencer, 'stream', interrupted)
        names = ('a.mp4', 'b.mp4', 'c.mp4')
        code, printed, errors = run(*names, '--fps', '4')
        assert code == 130
        assert results_in(out) == {'a', 'b'}
        assert (out / 'b' / 'result.json').read_bytes() == before
        assert row_of(printed, 'a.mp4')[2] == '6'
        last = errors.splitlines()[-1]
        assert last == 'interrupted: 1 inputs done, 2 not'

    def test_while_the_model_is_loaded(self, run, place, monkeypatch):
        place('a.mp4')

        def interrupted(*arguments, **options):
            raise KeyboardInterrupt

        monkeypatch.setattr(AVSInferencer, '__init__', interrupted)
        code, printed, errors = run('a.mp4')
        assert (code, printed) == (130, '')
        assert errors == 'interrupted: 0 inputs done, 1 not\n'
