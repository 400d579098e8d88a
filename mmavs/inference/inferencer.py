"""Recordings in, sounding pixels out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmavs.inference.audibility import with_sound
from mmavs.inference.loading import (
    build_model,
    class_names,
    clip_length,
    load_weights,
    read_config,
)
from mmavs.inference.options import check_choice, check_options
from mmavs.inference.predictions import FramePrediction, VideoPrediction
from mmavs.inference.recordings import (
    Recording,
    list_inputs,
    open_recording,
)
from mmavs.inference.recordings.opening import Source, is_one_recording
from mmavs.inference.recordings.recording import Fps
from mmavs.inference.results.prediction_files import write_prediction
from mmavs.inference.results.result_folder import choose_folder
from mmavs.inference.streaming import Progress, predict_frames, reported
from mmavs.inference.whole_numbers import check_whole_number
from mmavs.inference.window_predictor import WindowPredictor
from mmavs.models.backbones.vggish import cast_audio_networks

PRECISIONS = ('float32', 'bfloat16')


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
            means are used, and there is no uncertainty. None: as the config
            says (``model.test_cfg.num_samples``), 0 if it does not.
        seed: of the draws. They are the same for a recording, and the same
            options, whatever is predicted before or at the same time.

    Attributes:
        config: with the changes.
        config_name: of the file the config is in, without folder and ending.
        weights: path of the checkpoint, or None.
        seed: as given; a stream has the one of its beginning.
        device: where the model is.
        precision: as given.
        num_frames: T, the frames of a window.
        classes: their names, the background first.
        palette: their RGB colours.

    Raises:
        FileNotFoundError: if there is no such config or checkpoint.
        ValueError: if the weights do not fit the config, an option is none
            of those named, or codes are to be drawn in a model without any.
    """

    def __init__(
        self,
        model: str | os.PathLike | Config,
        weights: str | os.PathLike | None = None,
        device: str | torch.device | None = None,
        *,
        cfg_options: Mapping[str, Any] | None = None,
        precision: str = 'float32',
        num_samples: int | None = None,
        seed: int = 0,
    ) -> None:
        check_choice('precision', precision, PRECISIONS)
        check_whole_number('seed', seed)
        self.config = config = read_config(model, cfg_options)
        self.config_name = Path(config.filename or 'config').stem
        self.weights = None if weights is None else os.fspath(weights)
        self.precision = precision
        self.seed = int(seed)
        if device is None:
            device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self.device = torch.device(device)

        self.model = build_model(config)
        # Wrong numbers show before the weights are read.
        if num_samples is None:
            num_samples = self.num_samples
        self.num_samples = num_samples
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
        if precision == 'bfloat16':
            cast_audio_networks(self.model, torch.bfloat16)

        dataset = config.test_dataloader.dataset
        self.num_frames = clip_length(dataset)
        self._predictor = WindowPredictor(
            self.model,
            dataset.pipeline,
            self.device,
            is_half=precision == 'bfloat16',
        )
        num_classes = max(2, self.model.decode_head.out_channels)
        self.classes, self.palette = class_names(dataset, meta, num_classes)

    @property
    def num_samples(self) -> int:
        """S, how often the latent codes are drawn; it can be set.

        Raises:
            ValueError: if it is no whole number, or not 0 in a model without
                latents.
        """
        return self.model.test_cfg.num_samples

    @num_samples.setter
    def num_samples(self, value: int) -> None:
        check_whole_number('num_samples', value)
        if value and not hasattr(self.model.neck, 'latents'):
            raise ValueError(
                f'num_samples must be 0, got {value}: the model of '
                f'{self.config_name} has no latent codes to draw'
            )
        self.model.test_cfg.num_samples = int(value)

    def stream(
        self,
        source: Source,
        *,
        fps: Fps = 1,
        overlap: int = 0,
        batch_size: int = 1,
        sound: str | os.PathLike = 'matched',
        no_audio_policy: str = 'error',
    ) -> Generator[FramePrediction, None, None]:
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
            Generator[FramePrediction]: to be closed if it is not used up.

        Raises:
            ValueError: if an option is out of range.
            DataError: if the recording cannot be read, has no frame at the
                rate, or its sound is missing, silent or shorter than a
                patch; names the file.
        """
        check_options(
            self.num_frames,
            fps=fps,
            overlap=overlap,
            batch_size=batch_size,
            sound=sound,
            no_audio_policy=no_audio_policy,
        )
        recording = with_sound(open_recording(source), sound, no_audio_policy)
        return predict_frames(
            self._predictor,
            recording,
            recording.frames(fps),
            fps=fps,
            length=self.num_frames,
            overlap=overlap,
            batch_size=batch_size,
            seed=self.seed,
        )

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
        options: dict[str, Any] = dict(
            fps=fps,
            overlap=overlap,
            batch_size=batch_size,
            sound=sound,
            no_audio_policy=no_audio_policy,
        )
        check_options(self.num_frames, **options)
        recordings = [open_recording(x) for x in list_inputs(inputs)]
        predictions = (
            self._segment(recording, out_dir, options, progress)
            for recording in recordings
        )
        results = [
            p if return_codes else replace(p, codes={}) for p in predictions
        ]
        return results[0] if is_one_recording(inputs) else results

    def _segment(
        self,
        recording: Recording,
        out_dir: str | os.PathLike,
        options: dict,
        progress: Progress | None,
    ) -> VideoPrediction:
        """Predict a recording as a whole, and write it if it is said where.

        The options are those of :meth:`stream`.
        """
        frames: Iterable[FramePrediction]
        if not out_dir:
            frames = self.stream(recording, **options)
            if progress is not None:
                frames = reported(frames, recording.duration_s, progress)
        else:
            frames = kept = []
            write_prediction(
                self,
                recording,
                choose_folder(out_dir, recording.source),
                **options,
                progress=progress,
                on_frame=lambda frame: kept.append(frame.without_inputs()),
            )
        return VideoPrediction.from_frames(recording.name, frames)
