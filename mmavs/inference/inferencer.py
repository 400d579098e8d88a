"""Recordings in, sounding pixels out."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate

from mmavs.datasets.errors import DataError
from mmavs.functional.log_mel import SAMPLE_RATE_HZ
from mmavs.functional.predictive import foreground_logits
from mmavs.inference.audibility import (
    NO_AUDIO_POLICIES,
    check_length,
    with_sound,
)
from mmavs.inference.kept_frames import KeepingFrames
from mmavs.inference.loading import (
    build_model,
    class_names,
    clip_length,
    load_weights,
    window_pipeline,
)
from mmavs.inference.merging import (
    MergedFrame,
    WindowPrediction,
    merge_windows,
    select_frames,
)
from mmavs.inference.predictions import FramePrediction, VideoPrediction
from mmavs.inference.recordings import (
    Recording,
    Sound,
    list_inputs,
    open_recording,
)
from mmavs.inference.recordings.opening import Source, is_folder_of_videos
from mmavs.inference.recordings.recording import Fps, frame_rate
from mmavs.inference.results.prediction_files import write_prediction
from mmavs.inference.results.result_folder import folder_names
from mmavs.inference.shipped_configs import find_config
from mmavs.inference.windows import (
    Window,
    batch_windows,
    check_overlap,
    own_time_windows,
    published_windows,
)

PRECISIONS = dict(float32=torch.float32, bfloat16=torch.bfloat16)
Progress = Callable[[float, float | None], None]


class AVSInferencer:
    """Segments what sounds in recordings.

    Called like mmseg's ``MMSegInferencer``, but not derived from mmengine's
    ``BaseInferencer``, which takes inputs for independent of each other and
    holds all of them: a video is one long input, predicted as a stream.

    A recording is cut into windows of T frames, each of which goes through
    the test pipeline of the config and the model as a clip of the test set
    does, so the same frames and sound give the same numbers. Windows that
    overlap are averaged.

    Args:
        model: path of a config, name of a config of mmavs (``mmvae_pvt_s4``,
            ``ablations/mmvae_pvt_s4_tpavi``) or a config. Its test set says
            how many frames a window has and how they are prepared.
        weights: a checkpoint that fits the config; it is read without
            running code. Without one the weights are random, with a warning.
        device: as in torch; defaults to a GPU if there is one.
        cfg_options: changes of the config, {'a.b': value}.
        precision: ``'float32'``, or ``'bfloat16'`` for autocast.
        num_samples: S; how often the latent codes are drawn. With 0 their
            means are used, and there is no uncertainty.

    Attributes:
        config: with the changes.
        config_name: of the file the config is in, without folder and ending.
        weights: path of the checkpoint, or None.
        device: where the model is.
        precision: as given.
        num_frames: T, the frames of a window.
        classes: their names, the background first.
        palette: their RGB colours.

    Raises:
        FileNotFoundError: if there is no such config or checkpoint.
        ValueError: if the weights do not fit the config, or an option is
            none of those named.
    """

    def __init__(
        self,
        model: str | os.PathLike | Config,
        weights: str | os.PathLike | None = None,
        device: str | torch.device | None = None,
        *,
        cfg_options: Mapping[str, Any] | None = None,
        precision: str = 'float32',
        num_samples: int = 0,
    ) -> None:
        _check_choice('precision', precision, PRECISIONS)
        if isinstance(model, Config):
            config = copy.deepcopy(model)
        else:
            config = Config.fromfile(find_config(model))
        config.merge_from_dict(dict(cfg_options or {}))
        self.config = config
        self.config_name = Path(config.filename or 'config').stem
        self.weights = None if weights is None else os.fspath(weights)
        self.precision = precision
        if device is None:
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self.device = torch.device(device)

        self.model = build_model(config)
        meta = {}
        if self.weights is None:
            warnings.warn(
                f'no weights were given: those of {self.config_name} are '
                'random, and so is what it predicts',
                stacklevel=2,
            )
        else:
            meta = load_weights(self.model, self.weights, self.config_name)
        self.model.to(self.device).eval()
        if num_samples:
            self.num_samples = num_samples

        dataset = config.test_dataloader.dataset
        self.num_frames = clip_length(dataset)
        self._pipeline = Compose(window_pipeline(dataset.pipeline))
        num_classes = max(2, self.model.decode_head.out_channels)
        self.classes, self.palette = class_names(dataset, meta, num_classes)

    @property
    def num_samples(self) -> int:
        """S, how often the latent codes are drawn; it can be set."""
        return self.model.test_cfg.num_samples

    @num_samples.setter
    def num_samples(self, value: int) -> None:
        if not isinstance(value, int) or value < 0:
            raise ValueError(
                f'num_samples must be a whole number, 0 or more, got {value!r}'
            )
        self.model.test_cfg.num_samples = value

    def stream(
        self,
        source: Source,
        *,
        fps: Fps = 1,
        overlap: int = 0,
        batch_size: int = 1,
        sound: str | os.PathLike = 'matched',
        no_audio_policy: str = 'error',
    ) -> Iterator[FramePrediction]:
        """Predict a recording frame by frame, in the order of time.

        Memory does not depend on the length: a batch of windows and the one
        before are held. Wrong options, and inputs that cannot be opened or
        heard, are reported by the call; damage, and too few frames or
        samples, when they are come upon.

        Args:
            source: see :func:`open_recording`.
            fps: 1 has the timing of the published data, frame k = 1, 2, ...
                at k - 1/16 s and the patches of its window. At any other
                rate, ``'native'`` for every frame, each frame has the 0.975 s
                of sound around its own time.
            overlap: frames that a window has in common with the one before.
            batch_size: windows that are predicted at once.
            sound: ``'matched'``, or what is heard instead, see
                :func:`replace_sound`.
            no_audio_policy: what to do without an audio track, or with one
                that is silent all through: ``'error'``, or ``'silence'`` to
                go on without sound. A sound that was replaced is not asked.

        Returns:
            Iterator[FramePrediction]: a generator, to be closed if it is
            not used up.

        Raises:
            ValueError: if an option is out of range.
            DataError: if the recording cannot be read, has no frame at the
                rate, or its sound is missing, silent or shorter than a
                patch; names the file.
        """
        check_overlap(overlap, self.num_frames)
        if batch_size < 1:
            raise ValueError(
                f'batch_size must be at least 1, got {batch_size}'
            )
        _check_choice('no_audio_policy', no_audio_policy, NO_AUDIO_POLICIES)
        rate = frame_rate(fps)
        recording = with_sound(open_recording(source), sound, no_audio_policy)
        frames = recording.frames(fps)

        def windows(heard: Sound) -> Iterator[Window]:
            args = (frames, heard, self.num_frames, overlap)
            if rate == 1:
                return published_windows(*args, is_clip=recording.is_clip)
            return own_time_windows(*args)

        def predictions() -> Iterator[FramePrediction]:
            num_frames = 0
            with recording.sound() as heard:
                check_length(heard, recording.source)
                batches = batch_windows(windows(heard), batch_size)
                predicted = (
                    window
                    for batch in batches
                    for window in self._predict(batch, recording)
                )
                for merged in merge_windows(predicted):
                    num_frames += 1
                    yield self._finish(merged)
            if not num_frames:
                raise DataError(
                    f'{recording.source} is too short: it has no frame at '
                    f'fps={fps}'
                )

        return predictions()

    def __call__(
        self,
        inputs: Source | Iterable[Source],
        *,
        fps: Fps = 1,
        overlap: int = 0,
        batch_size: int = 1,
        sound: str | os.PathLike = 'matched',
        no_audio_policy: str = 'error',
        out_dir: str | os.PathLike = '',
        return_codes: bool = False,
        progress: Progress | None = None,
    ) -> VideoPrediction | list[VideoPrediction]:
        """Predict recordings, each as a whole.

        Args:
            inputs: a recording or several, see :func:`list_inputs`: a path,
                arrays, a folder of videos.
            fps: as in :meth:`stream`.
            overlap: as there.
            batch_size: as there.
            sound: as there.
            no_audio_policy: as there.
            out_dir: folder for what :func:`write_prediction` writes, a
                folder of its name for each recording; '' writes nothing.
            return_codes: whether to keep the codes of the frames.
            progress: called with the seconds of a recording that are done
                and those there are (None where it does not say).

        Returns:
            VideoPrediction: of one recording; a list of them for several
            inputs or a folder of videos.

        Raises:
            ValueError, DataError: as in :meth:`stream`, at the first
                recording that cannot be predicted.
        """
        options = dict(
            fps=fps,
            overlap=overlap,
            batch_size=batch_size,
            sound=sound,
            no_audio_policy=no_audio_policy,
        )
        recordings = [open_recording(x) for x in list_inputs(inputs)]
        if out_dir:
            predictions = self._write(recordings, out_dir, options, progress)
        else:
            predictions = (
                self._collect(recording, options, progress)
                for recording in recordings
            )
        results = [
            p if return_codes else replace(p, codes={}) for p in predictions
        ]
        is_one = isinstance(inputs, str | os.PathLike | Mapping | Recording)
        if is_one and not is_folder_of_videos(inputs):
            return results[0]
        return results

    def _collect(
        self, recording: Recording, options: dict, progress: Progress | None
    ) -> VideoPrediction:
        """Predict a recording as a whole."""

        def frames() -> Iterator[FramePrediction]:
            for frame in self.stream(recording, **options):
                yield frame
                if progress is not None:
                    total_s = recording.duration_s
                    done_s = frame.time_s
                    progress(done_s, total_s and max(total_s, done_s))

        return VideoPrediction.from_frames(recording.name, frames())

    def _write(
        self,
        recordings: list[Recording],
        out_dir: str | os.PathLike,
        options: dict,
        progress: Progress | None,
    ) -> Iterator[VideoPrediction]:
        """Predict recordings as a whole, and write each in its folder."""
        names = folder_names(recording.source for recording in recordings)
        for recording, name in zip(recordings, names, strict=True):
            kept = KeepingFrames(self)
            write_prediction(
                kept,
                recording,
                Path(out_dir, name),
                **options,
                progress=progress,
            )
            yield VideoPrediction.from_frames(recording.name, kept.frames)

    def _predict(
        self, batch: list[Window], recording: Recording
    ) -> Iterator[WindowPrediction]:
        """Predict windows of one length, as clips of the test set are."""
        packed = [self._pipeline(_as_clip(w, recording)) for w in batch]
        data = self.model.data_preprocessor(pseudo_collate(packed), False)
        inputs, samples = data['inputs'], data['data_samples']
        with (
            torch.no_grad(),
            torch.autocast(
                self.device.type,
                torch.bfloat16,
                enabled=self.precision == 'bfloat16',
            ),
        ):
            prediction = self.model.predict_clips(inputs)
        for b, window in enumerate(batch):
            start, stop = b * inputs.num_frames, (b + 1) * inputs.num_frames
            yield WindowPrediction(
                window,
                select_frames(prediction, start, stop),
                samples[start:stop],
                packed[b]['inputs']['log_mel'],
            )

    @torch.no_grad()
    def _finish(self, merged: MergedFrame) -> FramePrediction:
        """Bring a frame's prediction to its own size."""
        prediction, frame = merged.prediction, merged.frame
        # Also where the test set is scored at another size.
        merged.sample.set_metainfo(dict(ori_shape=frame.image.shape[:2]))
        (result,) = self.model.postprocess_clips(prediction, [merged.sample])
        scores = result.seg_logits.data
        if len(scores) > 1:
            scores = foreground_logits(scores[None])[0].sigmoid()
        uncertainty = None
        if prediction.uncertainty is not None:
            uncertainty = _array(result.uncertainty.data[0])
        return FramePrediction(
            merged.index,
            frame.time_s,
            frame.image,
            _array(result.pred_sem_seg.data[0].byte()),
            _array(scores[0]),
            uncertainty,
            {k: _array(code[0]) for k, code in prediction.codes.items()},
            merged.log_mel[0].numpy(),
            merged.sound_s,
        )


def _as_clip(window: Window, recording: Recording) -> dict:
    """Results of a clip that is in memory, for the pipeline."""
    clip = dict(
        video_id=recording.name,
        num_frames=len(window.frames),
        # The pipelines are for frames as OpenCV reads them.
        imgs=[mmcv.rgb2bgr(frame.image) for frame in window.frames],
        audio_path=recording.source,
    )
    if window.log_mel is not None:
        return {**clip, 'log_mel': window.log_mel}
    return {
        **clip,
        'waveform': window.waveform,
        'sample_rate_hz': SAMPLE_RATE_HZ,
    }


def _check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise ValueError(
            f'{name} must be one of {tuple(choices)}, got {value!r}'
        )


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.cpu().numpy()
