"""The files of a prediction: masks, overlay, timeline, numbers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from mmavs.datasets.errors import DataError
from mmavs.inference.options import check_options
from mmavs.inference.predictions import FramePrediction
from mmavs.inference.recordings import open_recording
from mmavs.inference.recordings.recording import frame_rate
from mmavs.inference.replaced_sound import replace_sound
from mmavs.inference.results.display_times import displayed
from mmavs.inference.results.frame_files import FrameFiles
from mmavs.inference.results.pictures import empty_timeline, open_film
from mmavs.inference.results.result_folder import (
    MADE_BY,
    MARKER,
    lies_within,
    real_path,
    result_folder,
)
from mmavs.inference.results.result_json import (
    encode_result,
    input_facts,
    summary_of,
)
from mmavs.version import __version__

if TYPE_CHECKING:
    # Which writes predictions, too.
    from mmavs.inference.inferencer import AVSInferencer


def write_prediction(
    inferencer: AVSInferencer,
    source: Any,
    folder: str | os.PathLike,
    *,
    fps: float | str = 1,
    overlap: int = 0,
    batch_size: int = 1,
    sound: str = 'matched',
    no_audio_policy: str = 'error',
    overlay: bool = True,
    timeline: bool = True,
    codes: bool = False,
    probabilities: bool = False,
    progress: Callable[[float, float | None], None] | None = None,
    on_frame: Callable[[FramePrediction], None] | None = None,
) -> dict:
    """Segment a video and write what there is to see.

    =====================  =================================================
    file in the folder     content
    =====================  =================================================
    masks/000001.png, ...  of every frame the mask, at the size of the input:
                           0 and 255, or the index of the class with the
                           palette as colours
    probabilities/ ...     on request: the probability of the foreground, 0 to
                           1 as 0 to 255
    uncertainty/ ...       with two or more ``num_samples`` of the inferencer:
                           the standard deviation of that probability over the
                           draws, 0 to 0.5 as 0 to 255
    overlay.mp4            the frames with their masks, with more than two
                           classes their names, and what was heard
    timeline.png           sound, area, uncertainty and frames over time
    codes.npz              ``times_s`` (F,), and of each latent of the prior
                           by its name the means (F, K)
    result.json            see below
    =====================  =================================================

    The folder appears when it is complete, and replaces an older result of
    the same recording only; see
    :func:`~mmavs.inference.results.result_folder.result_folder`, and
    ``choose_folder`` there for one among others. Memory does not grow with
    the length but for the numbers in result.json and codes.npz.

    ``result.json`` is UTF-8 and strict JSON, without NaN, one frame a line:

    ``made_by``, ``version``
        'mmavs', and its version.
    ``input``
        ``name``; ``source``, the path as given; ``path``, absolute and with
        links followed, by which the recording is known again, or null if it
        was in no file; ``height`` and ``width``, upright, which the masks
        have, too; ``sample_aspect_ratio``, width to height of a pixel, as
        '4:3'; ``duration_s``, what the header says, or null.
    ``settings``
        ``config``, ``checkpoint`` (null: random weights), ``num_frames``
        (frames in a window), ``fps`` (frames a second, or 'native'),
        ``overlap``, ``batch_size``, ``num_samples``, ``seed`` of the draws,
        ``precision``, ``device``, ``sound``, ``no_audio_policy``: as given.
    ``classes``
        their names by index, the background first.
    ``files``
        ``masks``, ``probabilities``, ``uncertainty``, ``overlay``,
        ``timeline``, ``codes``: their paths in the folder, null for what was
        not written.
    ``summary``
        ``num_frames``; ``duration_s``, the seconds that the frames stand
        for; ``area_share`` and ``uncertainty``, the means of those of the
        frames.
    ``frames``
        one for each, in order: ``index`` from 0; ``time_s``, when the frame
        is in the video, since its first; ``start_s`` and ``end_s``, what it
        stands for, which is when the overlay shows it; ``sound_s``, a list:
        when the 0.975 s of sound begin that the model heard with it, several
        times at 1 frame a second where it is in several windows; ``mask``, a
        path in the folder; ``area_share``, the share of the pixels that
        sound; ``uncertainty``, its mean over the pixels, or null; with more
        than two classes also ``class_shares``, the shares of the sounding
        classes by their names.

    At 1 frame a second frame k = 0, 1, ... stands for the second from k on.
    At any other rate a frame stands for the time until the next one. The last
    one also stands for what is left of the video, if less than a frame.

    Args:
        inferencer: the model.
        source: anything that :func:`open_recording` takes.
        folder: where to write; empty, an older result of the same
            recording, or not there.
        fps: as in ``AVSInferencer.stream``.
        overlap: as there.
        batch_size: as there.
        sound: as there.
        no_audio_policy: as there.
        overlay: whether to write the overlay.
        timeline: whether to write the timeline.
        codes: whether to write the latent codes.
        probabilities: whether to write the probabilities.
        progress: called with the seconds that are done and those there are
            (None where the input does not say).
        on_frame: called with each frame when its files are written.

    Returns:
        The content of result.json.

    Raises:
        DataError: if the input, or the sound, is unusable or lies in the
            folder; names the file.
        ValueError: if an option is out of range, codes are asked of a model
            without latents, or what it predicts is not finite.
        FileExistsError: if something else is in the folder, also the result
            of another recording.
        OSError: if it cannot be written.
    """
    check_options(
        inferencer.num_frames,
        fps=fps,
        overlap=overlap,
        batch_size=batch_size,
        sound=sound,
        no_audio_policy=no_audio_policy,
    )
    original = open_recording(source)
    for path in (original.source, sound):
        if os.path.exists(path) and lies_within(path, folder):
            raise DataError(f'{path} lies in {folder}, which is replaced')
    rate = frame_rate(fps)
    recording = replace_sound(original, sound)
    heard = sound
    if no_audio_policy == 'silence' and recording.is_silent():
        heard = 'silence'
        warnings.warn(
            f'{original.source} has no sound: silence is heard', stacklevel=2
        )
    options = dict(
        fps=fps,
        overlap=overlap,
        batch_size=batch_size,
        no_audio_policy=no_audio_policy,
    )
    path = real_path(original.source)
    with result_folder(folder, path) as partial:
        with (
            closing(inferencer.stream(recording, **options)) as predictions,
            open_film(partial, recording)
            if overlay
            else nullcontext() as film,
        ):
            files = FrameFiles(
                partial,
                inferencer.classes,
                inferencer.palette,
                film,
                empty_timeline(inferencer, recording, rate, heard)
                if timeline
                else None,
                codes,
                probabilities,
            )
            total_s = original.duration_s
            for prediction, start_s, end_s in displayed(
                predictions, rate, total_s
            ):
                if inferencer.num_samples == 1:
                    # One draw has no spread.
                    prediction = replace(prediction, uncertainty=None)
                files.add(prediction, start_s, end_s)
                if on_frame is not None:
                    on_frame(prediction)
                if progress is not None:
                    progress(end_s, total_s and max(total_s, end_s))
            if progress is not None:
                # The header is an estimate, and the last second may be cut.
                progress(end_s, end_s)
            files.finish()
        result = dict(
            made_by=MADE_BY,
            version=__version__,
            input=input_facts(original),
            settings=dict(
                config=inferencer.config_name,
                checkpoint=inferencer.weights,
                num_frames=inferencer.num_frames,
                **options | dict(fps=_as_number(rate)),
                num_samples=inferencer.num_samples,
                seed=inferencer.seed,
                precision=inferencer.precision,
                device=str(inferencer.device),
                sound=os.fspath(sound),
            ),
            classes=list(inferencer.classes),
            files=files.names,
            summary=summary_of(files.rows),
            frames=files.rows,
        )
        (partial / MARKER).write_bytes(encode_result(result))
    return result


def _as_number(rate: Fraction | None) -> int | float | str:
    if rate is None:
        return 'native'
    return int(rate) if rate.denominator == 1 else float(rate)
