"""Audio files as mono waveforms."""

import io

import mmengine.fileio as fileio
import numpy as np
import soundfile
import torch
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from torchaudio.functional import resample

# The Kaiser-windowed sinc of resampy's best filter, which the published
# front end resamples with. Its pass band ends at 92 % of the Nyquist rate,
# inside the top mel bins: torchaudio's defaults differ there by up to 0.45 in
# the log-mel of 44.1 kHz audio, these parameters by 0.022.
RESAMPLE_FILTER = dict(
    lowpass_filter_width=50,
    rolloff=0.917347,
    resampling_method='sinc_interp_kaiser',
    beta=12.9846,
)


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
        FileNotFoundError: If the file is missing.
        ValueError: If the file is unreadable or empty, or holds values that
            are not finite.
    """
    try:
        content = fileio.get(path, backend_args=backend_args)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'audio {path} does not exist') from error
    try:
        samples, file_rate_hz = soundfile.read(
            io.BytesIO(content), dtype='float32', always_2d=True
        )
    except soundfile.SoundFileError as error:
        raise ValueError(
            f'{path} is not readable audio (wav, flac, ogg or mp3): {error}'
        ) from error
    if len(samples) == 0:
        raise ValueError(f'{path} holds no audio samples')
    waveform = samples.mean(axis=1)
    if not np.isfinite(waveform).all():
        raise ValueError(f'{path} holds samples that are not finite')
    if file_rate_hz != sample_rate_hz:
        waveform = resample(
            torch.from_numpy(waveform),
            file_rate_hz,
            sample_rate_hz,
            **RESAMPLE_FILTER,
        ).numpy()
    return waveform


@TRANSFORMS.register_module()
class LoadAudio(BaseTransform):
    """Load the audio of a clip.

    Required key: ``audio_path``.
    Added keys: ``waveform`` (S,) float32, ``sample_rate_hz``.

    Args:
        sample_rate_hz (int): The rate to resample to. Defaults to 16000.
        backend_args (dict, optional): Arguments of the file backend.
    """

    def __init__(
        self, sample_rate_hz: int = 16000, backend_args: dict | None = None
    ) -> None:
        if sample_rate_hz <= 0:
            raise ValueError(
                f'sample_rate_hz must be positive, got {sample_rate_hz}'
            )
        self.sample_rate_hz = sample_rate_hz
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add the waveform of ``results['audio_path']``.

        Args:
            results: Results of the clip.

        Returns:
            dict: The same results with the waveform.
        """
        results['waveform'] = load_waveform(
            results['audio_path'], self.sample_rate_hz, self.backend_args
        )
        results['sample_rate_hz'] = self.sample_rate_hz
        return results

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}('
            f'sample_rate_hz={self.sample_rate_hz}, '
            f'backend_args={self.backend_args})'
        )
