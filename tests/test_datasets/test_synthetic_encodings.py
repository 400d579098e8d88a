"""Every form in which the synthetic AVSBench stores masks and sound."""

import csv
import dataclasses
import io
import itertools
import json
import pickle
from collections import Counter

import numpy as np
import pytest
import soundfile
import torch
from mmengine.registry import DefaultScope
from PIL import Image

from mmavs.datasets import AVSBenchMS3Dataset, AVSBenchSemanticDataset
from mmavs.datasets.layout import class_palette
from mmavs.datasets.synthetic import (
    Encoding,
    choose_encoding,
    clip_files,
    plan_clips,
    write_synthetic_avsbench,
)
from mmavs.datasets.synthetic.wav_file import encode_wav
from mmavs.functional.log_mel import vggish_log_mel

NUM_CLIPS = {'ms3': {'train': 7}, 'avss': {'train': 9}}
ROOTS = {'ms3': 'Multi-sources', 'avss': 'AVSBench-semantic'}
RATES_HZ = (8000, 11025, 16000, 22050, 32000, 44100, 48000)
# Largest error of a sample in units of full scale.
QUANTISATION = {
    'PCM_16': 2.0**-16,
    'PCM_24': 2.0**-24,
    'PCM_32': 2.0**-32,
    'FLOAT': 2.0**-25,
}


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """Sets as published."""
    out = tmp_path_factory.mktemp('plain')
    for subset, num_clips in NUM_CLIPS.items():
        write_synthetic_avsbench(out, subset, num_clips)
    return out


@pytest.fixture(scope='module')
def mixed(tmp_path_factory):
    """The same clips in all forms, with log-mels."""
    out = tmp_path_factory.mktemp('mixed')
    for subset, num_clips in NUM_CLIPS.items():
        write_synthetic_avsbench(
            out, subset, num_clips, encodings='mixed', log_mel=True
        )
    return out


def read_image(path):
    with Image.open(path) as image:
        return image.mode, np.asarray(image)


def plans_and_files(subset):
    for plan in plan_clips(subset, NUM_CLIPS[subset]):
        yield plan, clip_files(plan, log_mel=True)


def relative_error(one, other, rate_hz, other_rate_hz):
    """Difference of two waveforms of the same length in seconds.

    Compared is the spectrum up to 80 % of the lower Nyquist frequency: what
    a resampling filter must let through, whichever it is.
    """
    spectra = [np.fft.rfft(x) / len(x) for x in (one, other)]
    seconds = len(one) / rate_hz
    assert seconds == len(other) / other_rate_hz
    width = int(0.4 * min(rate_hz, other_rate_hz) * seconds)
    difference = spectra[0][:width] - spectra[1][:width]
    return np.linalg.norm(difference) / np.linalg.norm(spectra[1][:width])


class TestMasks:
    def test_binary(self, plain, mixed):
        forms = set()
        for _, files in plans_and_files('ms3'):
            for path in files['seg_map_path'].values():
                _, expected = read_image(plain / ROOTS['ms3'] / path)
                mode, stored = read_image(mixed / ROOTS['ms3'] / path)
                if mode == 'RGB':
                    assert (stored == stored[..., :1]).all()
                    stored = stored[..., 0]
                assert np.array_equal(stored > 0, expected > 0)
                forms.add((mode, int(stored.max())))
        forms = {form for form in forms if form[1]}
        assert forms == {
            ('1', 1),
            *itertools.product(('L', 'P', 'RGB'), (1, 255)),
        }

    def test_semantic(self, plain, mixed):
        palette = np.array(class_palette(9), np.uint8)
        forms = set()
        for _, files in plans_and_files('avss'):
            for i, path in files['seg_map_path'].items():
                _, expected = read_image(plain / ROOTS['avss'] / path)
                mode, stored = read_image(mixed / ROOTS['avss'] / path)
                assert np.array_equal(stored, expected)
                colours = mixed / ROOTS['avss'] / files['seg_map_rgb_path'][i]
                rgb_mode, _ = read_image(colours)
                with Image.open(colours) as image:
                    rgb = np.asarray(image.convert('RGB'))
                assert np.array_equal(rgb, palette[expected])
                if mode == 'P':  # an index with its colour
                    with Image.open(mixed / ROOTS['avss'] / path) as image:
                        rgb = np.asarray(image.convert('RGB'))
                    assert np.array_equal(rgb, palette[expected])
                forms.add((mode, rgb_mode))
        assert {mode for mode, _ in forms} == {'L', 'P'}
        assert {mode for _, mode in forms} == {'RGB', 'P'}

    def test_frames_are_the_same(self, plain, mixed):
        for subset, root in ROOTS.items():
            for _, files in plans_and_files(subset):
                for path in files['img_path'].values():
                    assert (plain / root / path).read_bytes() == (
                        mixed / root / path
                    ).read_bytes()


class TestSound:
    @pytest.mark.parametrize('subset', ROOTS)
    def test_files(self, plain, mixed, subset):
        forms = Counter()
        for plan, files in plans_and_files(subset):
            path = files['audio_path'][0]
            expected, _ = soundfile.read(plain / ROOTS[subset] / path)
            info = soundfile.info(mixed / ROOTS[subset] / path)
            samples, rate_hz = soundfile.read(
                mixed / ROOTS[subset] / path, always_2d=True
            )
            assert len(samples) == plan.num_frames * rate_hz
            error = relative_error(samples.mean(1), expected, rate_hz, 16000)
            assert error < 1e-3
            forms.update([rate_hz, info.subtype, f'{info.channels} channels'])
        if subset == 'ms3':
            assert set(forms) == {
                *RATES_HZ,
                *QUANTISATION,
                '1 channels',
                '2 channels',
            }

    @pytest.mark.parametrize('sample_format', QUANTISATION)
    @pytest.mark.parametrize('num_channels', [1, 2])
    def test_all_forms(self, sample_format, num_channels):
        rng = np.random.default_rng(0)
        waveform = rng.integers(-9000, 9000, 16000).astype(np.int16)
        for rate_hz in RATES_HZ:
            encoding = Encoding(
                sample_rate_hz=rate_hz,
                sample_format=sample_format,
                num_channels=num_channels,
            )
            content = encode_wav(waveform, encoding)
            info = soundfile.info(io.BytesIO(content))
            assert (
                info.samplerate,
                info.channels,
                info.subtype,
                info.frames,
            ) == (rate_hz, num_channels, sample_format, rate_hz)
            # RIFF chunks begin at even places, and the size is the file's
            assert len(content) % 2 == 0
            assert int.from_bytes(content[4:8], 'little') == len(content) - 8
            samples, _ = soundfile.read(
                io.BytesIO(content), always_2d=True, dtype='float64'
            )
            mono = samples.mean(1)
            if rate_hz == 16000:
                error = np.abs(mono - waveform / 32768.0).max()
                assert error <= QUANTISATION[sample_format]
            else:
                error = relative_error(
                    mono, waveform / 32768.0, rate_hz, 16000
                )
                assert error < 1e-3
            if num_channels == 2:  # one channel alone is not the sound
                assert np.abs(samples[:, 0] - mono).max() > 0.05

    def test_full_scale_is_clipped(self):
        waveform = np.array([32767, -32768, 0] * 100, np.int16)
        for sample_format in QUANTISATION:
            content = encode_wav(
                waveform, Encoding(sample_format=sample_format, num_channels=2)
            )
            samples, _ = soundfile.read(io.BytesIO(content))
            assert np.abs(samples - waveform[:, None] / 32768.0).max() < 1e-4

    @pytest.mark.parametrize('subset', ROOTS)
    def test_log_mel(self, plain, mixed, subset):
        for plan, files in plans_and_files(subset):
            path = mixed / ROOTS[subset] / files['log_mel_path'][0]
            assert path.suffix == '.pkl'
            # as field code opens it; the file is our own
            log_mel = pickle.loads(path.read_bytes())
            assert isinstance(log_mel, torch.Tensor)
            assert log_mel.requires_grad
            assert log_mel.dtype == torch.float32
            assert log_mel.shape == (plan.num_frames, 1, 96, 64)
            # of the waveform, whatever the form of the wav file is
            waveform, _ = soundfile.read(
                plain / ROOTS[subset] / files['audio_path'][0]
            )
            assert np.array_equal(
                log_mel.detach().numpy()[:, 0], vggish_log_mel(waveform)
            )
            assert not (
                plain / ROOTS[subset] / files['log_mel_path'][0]
            ).exists()


class TestLoaders:
    """Through the data sets: the forms make no difference."""

    @pytest.fixture(autouse=True)
    def scope(self):
        with DefaultScope.overwrite_default_scope('mmseg'):
            yield

    @staticmethod
    def load(kind, root, source):
        steps = [dict(type='LoadFrame'), dict(type='LoadAVSMask')]
        return kind(
            'train',
            data_root=str(root),
            pipeline=[
                dict(type='ClipTransform', transforms=steps),
                dict(type='LoadAudio', source=source),
                dict(type='VGGishLogMel'),
                dict(type='PackAVSInputs'),
            ],
        )

    @pytest.mark.parametrize(
        ('subset', 'kind'),
        [('ms3', AVSBenchMS3Dataset), ('avss', AVSBenchSemanticDataset)],
    )
    def test_same_clips(self, plain, mixed, subset, kind):
        sets = [
            self.load(kind, out / ROOTS[subset], source)
            for out, source in (
                (plain, 'wav'),
                (mixed, 'wav'),
                (mixed, 'log_mel'),
            )
        ]
        plans = plan_clips(subset, NUM_CLIPS[subset])
        assert [len(one) for one in sets] == [len(plans)] * 3
        for i, plan in enumerate(plans):
            expected, *others = (one[i] for one in sets)
            masks = expected['data_samples'].gt_sem_seg.data
            own = expected['inputs']['log_mel']
            for other in others:
                assert torch.equal(
                    other['data_samples'].gt_sem_seg.data, masks
                )
                assert torch.equal(
                    other['inputs']['frames'], expected['inputs']['frames']
                )
            from_wav, stored = (one['inputs']['log_mel'] for one in others)
            assert torch.equal(stored, own)
            rate_hz = choose_encoding(plan, 'mixed').sample_rate_hz
            # Bins whose band the file has in full.
            bins = {8000: 44, 11025: 53}.get(rate_hz, 60)
            difference = (from_wav - own)[..., :bins].abs()
            assert difference.max() < 0.05, rate_hz


class TestChoice:
    def test_published(self):
        plan = plan_clips('s4', {'train': 1})[0]
        assert choose_encoding(plan, 'published') == Encoding(
            'L', 255, 'RGB', 16000, 'PCM_16', 1
        )

    def test_every_combination_occurs(self):
        for subset in ('s4', 'ms3'):
            forms = [
                choose_encoding(plan, 'mixed')
                for plan in plan_clips(subset, {'train': 84})
            ]
            assert {
                (one.sample_rate_hz, one.sample_format, one.num_channels)
                for one in forms
            } == set(itertools.product(RATES_HZ, QUANTISATION, (1, 2)))

    def test_a_clip_ignores_the_number_of_others(self):
        few, many = (
            {
                plan.video_id: choose_encoding(plan, 'mixed')
                for plan in plan_clips('avss', {'train': n, 'val': 2 * n})
            }
            for n in (6, 20)
        )
        assert few.items() <= many.items()

    def test_unknown(self, tmp_path):
        with pytest.raises(ValueError, match="encodings.*got 'odd'"):
            write_synthetic_avsbench(
                tmp_path, 's4', {'train': 1}, encodings='odd'
            )
        assert not list(tmp_path.iterdir())


class TestSet:
    @pytest.mark.parametrize('subset', ROOTS)
    def test_same_bytes_again_from_threads(self, mixed, tmp_path, subset):
        root, _ = write_synthetic_avsbench(
            tmp_path,
            subset,
            NUM_CLIPS[subset],
            encodings='mixed',
            log_mel=True,
            num_workers=3,
        )
        paths = [path for path in root.rglob('*') if path.is_file()]
        assert len(paths) > 50
        for path in paths:
            other = mixed / ROOTS[subset] / path.relative_to(root)
            assert path.read_bytes() == other.read_bytes(), path

    @pytest.mark.parametrize('subset', ROOTS)
    def test_files(self, mixed, subset):
        root = mixed / ROOTS[subset]
        expected = {root / 'generator.json', root / 'clips.json'}
        expected |= {root / 'sound_pairs.json', *root.glob('*.csv')}
        if subset == 'avss':
            expected.add(root / 'label2idx.json')
        for _, files in plans_and_files(subset):
            for paths in files.values():
                expected |= {root / path for path in paths.values()}
        assert expected == {path for path in root.rglob('*') if path.is_file()}

    def test_sidecars_say_how(self, plain, mixed):
        marker, clips = (
            json.loads((mixed / ROOTS['ms3'] / name).read_text())
            for name in ('generator.json', 'clips.json')
        )
        assert marker['encodings'] == 'mixed' and marker['log_mel'] is True
        for plan in plan_clips('ms3', NUM_CLIPS['ms3']):
            encoding = choose_encoding(plan, 'mixed')
            written = clips[plan.video_id].get('encoding')
            assert written == (
                dataclasses.asdict(encoding)
                if encoding != Encoding()
                else None
            )
        marker = json.loads(
            (plain / ROOTS['ms3'] / 'generator.json').read_text()
        )
        assert set(marker) == {
            'generator',
            'version',
            'subset',
            'seed',
            'num_clips',
            'silent_share',
        }

    def test_other_forms_are_another_set(self, mixed):
        arguments = (mixed, 'ms3', NUM_CLIPS['ms3'])
        options = dict(encodings='mixed', log_mel=True)
        assert not write_synthetic_avsbench(*arguments, **options)[1]
        for change, was in (
            (dict(encodings='published'), "encodings is 'mixed'"),
            (dict(log_mel=False), 'log_mel is True'),
        ):
            rule = rf'\({was}, asked for is the default\)'
            with pytest.raises(FileExistsError, match=rule):
                write_synthetic_avsbench(*arguments, **{**options, **change})

    def test_the_list_of_clips_is_the_same(self, plain, mixed):
        for root, name in (
            ('Multi-sources', 'ms3_meta_data.csv'),
            ('AVSBench-semantic', 'metadata.csv'),
        ):
            one, other = (
                list(csv.reader((out / root / name).open(newline='')))
                for out in (plain, mixed)
            )
            assert one == other
