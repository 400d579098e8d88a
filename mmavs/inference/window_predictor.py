"""Windows through a model, as clips of its test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mmcv
import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate

from mmavs.functional.log_mel import SAMPLE_RATE_HZ
from mmavs.functional.predictive import foreground_logits
from mmavs.inference.draws import Draws
from mmavs.inference.loading import window_pipeline
from mmavs.inference.merging import (
    MergedFrame,
    WindowPrediction,
    select_frames,
)
from mmavs.inference.predictions import FramePrediction
from mmavs.inference.recordings import Recording
from mmavs.inference.windows import Window


class WindowPredictor:
    """Predicts windows with a model, and makes predictions those of frames.

    Args:
        model: an audio-visual segmentor in evaluation mode.
        pipeline: config of the test pipeline that it was made for.
        device: where the model is.
        is_half: whether bfloat16 is used where autocast says so.

    Raises:
        ValueError: if the pipeline loads no frames.
    """

    def __init__(
        self,
        model: Any,
        pipeline: Sequence[Mapping],
        device: torch.device,
        is_half: bool = False,
    ) -> None:
        self.model = model
        self.device = device
        self.is_half = is_half
        self._pipeline = Compose(window_pipeline(pipeline))

    @torch.no_grad()
    def predict(
        self, batch: Sequence[Window], recording: Recording, draws: Draws
    ) -> list[WindowPrediction]:
        """Predict windows of one length.

        Args:
            batch: the windows.
            recording: that they are of.
            draws: what latent codes are drawn with.
        """
        packed = [self._pipeline(_as_clip(w, recording)) for w in batch]
        data = self.model.data_preprocessor(pseudo_collate(packed), False)
        inputs, samples = data['inputs'], data['data_samples']
        with (
            draws.resumed(),
            torch.autocast(
                self.device.type, torch.bfloat16, enabled=self.is_half
            ),
        ):
            prediction = self.model.predict_clips(inputs)
        starts = range(0, len(samples), inputs.num_frames)
        return [
            WindowPrediction(
                window,
                select_frames(prediction, start, start + inputs.num_frames),
                samples[start : start + inputs.num_frames],
                clip['inputs']['log_mel'],
            )
            for window, clip, start in zip(batch, packed, starts, strict=True)
        ]

    @torch.no_grad()
    def finish(self, merged: MergedFrame) -> FramePrediction:
        """Bring a frame's prediction to the size of the frame."""
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
            {start_s: x[0].numpy() for start_s, x in merged.heard.items()},
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


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.cpu().numpy()
