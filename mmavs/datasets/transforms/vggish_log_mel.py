"""Log-mel patches of a clip's audio."""

from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmavs.datasets.errors import DataError
from mmavs.functional.log_mel import SAMPLE_RATE_HZ, vggish_log_mel


@TRANSFORMS.register_module()
class VGGishLogMel(BaseTransform):
    """Turn the waveform into one log-mel patch per frame.

    Patch j covers [0.96 j, 0.96 (j + 1)] s and belongs to frame j. Audio
    after the last frame's patch is unused; a clip with too little audio
    repeats its last patch; less than one patch, 15,600 samples, is an error.
    A clip that was loaded as patches keeps them.

    Required keys: ``waveform``, ``sample_rate_hz``, ``num_frames``; or
    ``log_mel``.
    Added key: ``log_mel`` (T, 1, 96, 64) float32.

    Raises:
        DataError: If the audio is too short.
        ValueError: If the rate is not 16 kHz.
    """

    def transform(self, results: dict) -> dict:
        """Add the log-mel patches.

        Args:
            results: Results of the clip.

        Returns:
            dict: The same results with ``log_mel``.
        """
        if 'waveform' not in results and 'log_mel' in results:
            return results
        name = results.get(
            'played_audio_path', results.get('audio_path', 'waveform')
        )
        if results['sample_rate_hz'] != SAMPLE_RATE_HZ:
            raise ValueError(
                f'{name}: the VGGish front end needs {SAMPLE_RATE_HZ} Hz, '
                f'got {results["sample_rate_hz"]} Hz'
            )
        try:
            patches = vggish_log_mel(
                results['waveform'], results['num_frames']
            )
        except ValueError as error:
            raise DataError(f'{name}: {error}') from error
        results['log_mel'] = patches[:, None]
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'
