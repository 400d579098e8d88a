"""Audio files as mono waveforms."""

from __future__ import annotations

import io
from functools import lru_cache
from math import ceil, gcd

import numpy as np
import soundfile
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from scipy.signal import resample_poly

from mmavs.datasets.errors import DataError, MissingDataError
from mmavs.datasets.files import read_file
from mmavs.datasets.log_mel_files import load_log_mel
from mmavs.functional.log_mel import fit_patches

# The Kaiser-windowed sinc of resampy's best filter, which the published
# front end resamples with. Its pass band ends at 92 % of the Nyquist rate,
# inside the top mel bins: the usual filters differ there by up to 0.45 in
# the log-mel of 44.1 kHz audio, these parameters by 0.022.
_ZERO_CROSSINGS = 50
_PASS_BAND = 0.917347
_KAISER_BETA = 12.9846
# A header can promise anything.
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 192_000
MAX_SAMPLES = 40_000_000  # of all channels; ten minutes of 32 kHz stereo
# Taps of the filter between two rates; usual ones need less than 100,000.
_MAX_TAPS = 2_000_000


def resample_waveform(
    waveform: np.ndarray, from_hz: int, to_hz: int
) -> np.ndarray:
    """Resample a waveform between any two rates.

    Args:
        waveform: samples.
        from_hz: their rate.
        to_hz: the rate of the returned samples.

    Shapes:
        - waveform: (S,)
        - return: (ceil(S to_hz / from_hz),) float32
    """
    if from_hz == to_hz:
        return waveform.astype(np.float32, copy=False)
    common = gcd(from_hz, to_hz)
    up, down = to_hz // common, from_hz // common
    filtered = resample_poly(waveform, up, down, window=_low_pass(up, down))
    return filtered.astype(np.float32)


@lru_cache(maxsize=4)
def _low_pass(up: int, down: int) -> np.ndarray:
    """Filter of the rate ``up`` times the input's; its output's is 1/down."""
    # Twice the cut-off in units of the input's rate: the narrower of the two
    # bands decides. Zero crossings are then the whole numbers.
    bandwidth = min(1.0, up / down) * _PASS_BAND
    half = ceil(_ZERO_CROSSINGS * up / bandwidth)
    crossings = np.arange(-half, half + 1) * (bandwidth / up)
    inside = np.maximum(0.0, 1 - (crossings / _ZERO_CROSSINGS) ** 2)
    taps = np.sinc(crossings) * np.i0(_KAISER_BETA * np.sqrt(inside))
    return taps / taps.sum()


def load_waveform(
    path: str, sample_rate_hz: int = 16000, backend_args: dict | None = None
) -> np.ndarray:
    """Read an audio file as mono at a given rate.

    Args:
        path: A wav, flac, ogg or mp3 file.
        sample_rate_hz: The rate of the returned samples.
        backend_args: Arguments of the file backend.

    Returns:
        np.ndarray: (S,) float32 samples in [-1, 1], the mean of the
        channels.

    Raises:
        MissingDataError: If the file is missing.
        DataError: If the file is unreadable or empty, too long, of a rate
            outside 1 to 192 kHz, or holds values that are not finite.
    """
    content = read_file(path, 'audio', backend_args)
    return decode_waveform(content, path, sample_rate_hz)


def decode_waveform(
    content: bytes, name: str, sample_rate_hz: int = 16000
) -> np.ndarray:
    """Decode the content of an audio file.

    Args:
        content: The bytes of a wav, flac, ogg or mp3 file.
        name: The file's name, for error messages.
        sample_rate_hz: The rate of the returned samples.

    Returns:
        np.ndarray: (S,) float32, as :func:`load_waveform`.

    Raises:
        DataError: As :func:`load_waveform` does.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            file_rate_hz = file.samplerate
            _check_size(file, sample_rate_hz, name)
            samples = file.read(dtype='float32', always_2d=True)
    except DataError:
        raise
    except Exception as error:  # whatever the bytes make a parser do
        # Without soundfile's prefix, which names an address in memory: the
        # same file is to give the same message every time.
        why = getattr(error, 'error_string', error)
        raise DataError(
            f'audio {name} is not readable (wav, flac, ogg or mp3): {why}'
        ) from error
    if len(samples) == 0:
        raise DataError(f'{name} holds no audio samples')
    # In float64: the sum of huge float samples may not be a float32.
    with np.errstate(invalid='ignore', over='ignore'):
        waveform = samples.mean(axis=1, dtype=np.float64)
        waveform = resample_waveform(waveform, file_rate_hz, sample_rate_hz)
    if not np.isfinite(waveform).all():
        raise DataError(f'{name} holds samples that are not finite')
    return waveform


def _check_size(
    file: soundfile.SoundFile, sample_rate_hz: int, name: str
) -> None:
    rate_hz = file.samplerate
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise DataError(
            f'audio {name} has a rate of {rate_hz} Hz, it must be within '
            f'{MIN_RATE_HZ} and {MAX_RATE_HZ} Hz'
        )
    common = gcd(rate_hz, sample_rate_hz)
    if 2 * _ZERO_CROSSINGS * max(rate_hz, sample_rate_hz) / common > _MAX_TAPS:
        raise DataError(
            f'audio {name} has a rate of {rate_hz} Hz, which is too odd a '
            f'share of {sample_rate_hz} Hz to be resampled: convert the file '
            'to a common rate'
        )
    growth = max(1.0, sample_rate_hz / rate_hz)
    if file.frames * file.channels * growth > MAX_SAMPLES:
        raise DataError(
            f'audio {name} has {file.frames} samples in {file.channels} '
            f'channels at {rate_hz} Hz, more than is read of a clip'
        )


SOURCES = ('auto', 'wav', 'log_mel')


@TRANSFORMS.register_module()
class LoadAudio(BaseTransform):
    """Load the audio of a clip, as a waveform or as ready log-mel patches.

    Required key: ``audio_path`` or ``log_mel_path``; for the latter
    ``num_frames``.
    Added keys: ``waveform`` (S,) float32 and ``sample_rate_hz``, or
    ``log_mel`` (T, 1, 96, 64) float32.

    Args:
        source (str): 'wav' reads ``audio_path``, 'log_mel' the patches that
            are stored under ``log_mel_path`` (AVSBench's ``audio_log_mel``,
            or what ``tools/dataset_converters/convert_log_mel.py`` made of
            them), 'auto' the waveform of a clip that has one, else the
            patches; of these the last is repeated where they are fewer
            than the frames. Sound conditions and augmentations of the
            waveform need waveforms. Defaults to 'auto'.
        sample_rate_hz (int): The rate to resample to. Defaults to 16000.
        backend_args (dict, optional): Arguments of the file backend.

    Raises:
        MissingDataError: If the file is missing.
        DataError: If it is unreadable.
        ValueError: If the source is unknown, or the clip has no
            ``log_mel_path`` although the source is 'log_mel'.
    """

    def __init__(
        self,
        source: str = 'auto',
        sample_rate_hz: int = 16000,
        backend_args: dict | None = None,
    ) -> None:
        if source not in SOURCES:
            raise ValueError(
                f'source must be one of {SOURCES}, got {source!r}'
            )
        if sample_rate_hz <= 0:
            raise ValueError(
                f'sample_rate_hz must be positive, got {sample_rate_hz}'
            )
        self.source = source
        self.sample_rate_hz = sample_rate_hz
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add the waveform or the patches of a clip.

        Args:
            results: Results of the clip.

        Returns:
            dict: The same results with the audio.
        """
        if self.source == 'log_mel':
            if 'log_mel_path' not in results:
                raise ValueError(
                    "LoadAudio(source='log_mel') needs log_mel_path: give the "
                    'dataset data_prefix=dict(log_mel_path=PATTERN)'
                )
            return self._add_log_mel(results)
        try:
            return self._add_waveform(results)
        except MissingDataError as error:
            if self.source == 'wav' or 'log_mel_path' not in results:
                raise
            missing = error
        try:
            return self._add_log_mel(results)
        except MissingDataError as error:
            raise MissingDataError(f'{missing}, and {error}') from error

    def _add_waveform(self, results: dict) -> dict:
        results['waveform'] = load_waveform(
            results['audio_path'], self.sample_rate_hz, self.backend_args
        )
        results['sample_rate_hz'] = self.sample_rate_hz
        return results

    def _add_log_mel(self, results: dict) -> dict:
        patches = load_log_mel(results['log_mel_path'], self.backend_args)
        results['log_mel'] = fit_patches(patches, results['num_frames'])
        return results

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(source={self.source!r}, '
            f'sample_rate_hz={self.sample_rate_hz}, '
            f'backend_args={self.backend_args})'
        )
