"""Where the sound of a clip comes from."""

import numpy as np
import pytest
import soundfile
from avsbench_layout import save_audio, waveform_of

from mmavs.datasets import (
    AVSBenchS4Dataset,
    DataError,
    LoadAudio,
    MissingDataError,
    SoundCondition,
    VGGishLogMel,
)
from mmavs.datasets.log_mel_files import save_log_mel, save_published_pickle
from mmavs.datasets.transforms import load_audio
from mmavs.functional.log_mel import count_patches, vggish_log_mel


@pytest.fixture
def clip(tmp_path):
    """A clip with a wav, and patches that differ from its."""
    save_audio(tmp_path / 'a.wav', waveform_of('a'))
    patches = vggish_log_mel(waveform_of('b'), 5)[:, None]
    save_published_pickle(str(tmp_path / 'a.pkl'), patches)
    return dict(
        video_id='a',
        num_frames=5,
        audio_path=str(tmp_path / 'a.wav'),
        log_mel_path=str(tmp_path / 'a.pkl'),
    )


def log_mel_of(clip, **kwargs):
    return VGGishLogMel()(LoadAudio(**kwargs)(dict(clip)))['log_mel'][:, 0]


def test_source(clip, tmp_path):
    from_wav = log_mel_of(clip, source='wav')
    stored = log_mel_of(clip, source='log_mel')
    assert np.array_equal(stored, vggish_log_mel(waveform_of('b'), 5))
    assert not np.array_equal(from_wav, stored)
    assert np.array_equal(log_mel_of(clip), from_wav)
    (tmp_path / 'a.wav').unlink()
    assert np.array_equal(log_mel_of(clip), stored)
    with pytest.raises(MissingDataError, match='a.wav'):
        log_mel_of(clip, source='wav')
    # Converted ones take the place of the pickle.
    save_log_mel(str(tmp_path / 'a.safetensors'), stored[:, None] + 1)
    (tmp_path / 'a.pkl').unlink()
    assert np.array_equal(log_mel_of(clip), stored + 1)
    (tmp_path / 'a.safetensors').unlink()
    with pytest.raises(MissingDataError, match='a.wav .*exist, and.*a.pkl'):
        log_mel_of(clip)


def test_damaged_wav_is_no_missing_one(clip, tmp_path):
    (tmp_path / 'a.wav').write_bytes(b'RIFF')
    with pytest.raises(DataError, match='a.wav'):
        log_mel_of(clip)


@pytest.mark.parametrize('stored, wanted', [(7, 5), (5, 5), (3, 5), (1, 5)])
def test_number_of_patches(clip, tmp_path, stored, wanted):
    patches = np.random.default_rng(0).random((stored, 1, 96, 64), np.float32)
    save_published_pickle(str(tmp_path / 'a.pkl'), patches)
    log_mel = log_mel_of(clip, source='log_mel')
    expected = patches[[min(t, stored - 1) for t in range(wanted)], 0]
    assert np.array_equal(log_mel, expected)


def test_sound_conditions_need_waveforms(clip):
    results = LoadAudio(source='log_mel')(clip)
    with pytest.raises(ValueError, match="'a' came as a log-mel.*'wav'"):
        SoundCondition('silence')(results)


def test_arguments(clip, s4_root):
    with pytest.raises(ValueError, match="source.*'mp3'"):
        LoadAudio(source='mp3')
    del clip['log_mel_path']
    with pytest.raises(ValueError, match='log_mel_path.*data_prefix'):
        LoadAudio(source='log_mel')(clip)
    info = AVSBenchS4Dataset(data_root=str(s4_root), split='val')[0]
    assert info['log_mel_path'] == str(
        s4_root / 's4_data/audio_log_mel/val/cat/1e5.pkl'
    )


@pytest.mark.parametrize('rate_hz', [44101, 191999])
def test_rates_that_would_need_a_huge_filter(tmp_path, rate_hz):
    save_audio(tmp_path / 'odd.wav', np.zeros(100), rate_hz)
    with pytest.raises(DataError, match=f'odd.wav.*{rate_hz} Hz.*too odd'):
        LoadAudio()(dict(audio_path=str(tmp_path / 'odd.wav')))


def test_more_samples_than_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(load_audio, 'MAX_SAMPLES', 1500)
    path = tmp_path / 'long.wav'
    for num_samples, num_channels in ((1000, 1), (750, 2)):
        save_audio(path, np.zeros((num_samples, num_channels)))
        results = LoadAudio()(dict(audio_path=str(path)))
        assert len(results['waveform']) == num_samples
    with pytest.raises(DataError, match='long.wav has 750 samples in 2 chan'):
        LoadAudio(sample_rate_hz=32000)(dict(audio_path=str(path)))
    save_audio(path, np.zeros(1501))
    with pytest.raises(DataError, match='long.wav has 1501 samples'):
        LoadAudio()(dict(audio_path=str(path)))


@pytest.mark.parametrize('rate_hz', [8000, 16000])
def test_huge_samples(tmp_path, rate_hz):
    """Finite in the file, but not their sum, or what a filter makes."""
    path = tmp_path / 'huge.wav'
    samples = np.zeros((20000, 2), np.float32)
    samples[100:200] = [3e38, 3e38]
    samples[150] = -samples[150]
    soundfile.write(path, samples, rate_hz, 'FLOAT')
    try:
        waveform = LoadAudio()(dict(audio_path=str(path)))['waveform']
    except DataError as error:
        assert 'huge.wav holds samples that are not finite' in str(error)
        assert rate_hz == 8000
    else:
        assert np.isfinite(waveform).all() and rate_hz == 16000


def test_count_patches():
    for num_samples in (0, 399, 15599, 15600, 30959, 30960, 80000):
        if num_samples >= 15600:
            expected = len(vggish_log_mel(np.zeros(num_samples)))
        else:
            expected = 0
        assert count_patches(num_samples) == expected


def test_an_unreadable_file_has_one_message(tmp_path):
    """By which it is known again: no address of an object is in it."""
    path = tmp_path / 'a.wav'
    path.write_bytes(b'RIFF' + b'x' * 16)
    messages = set()
    for _ in range(2):
        with pytest.raises(DataError, match='is not readable') as error:
            load_audio.load_waveform(str(path), 16000)
        messages.add(str(error.value))
    assert len(messages) == 1
    assert '0x' not in messages.pop()
