"""The audio of one clip, in whatever forms it is there."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

import numpy as np

from mmavs.datasets.checking.audio import (
    Sound,
    check_wav_header,
    check_waveform,
    is_silent,
)
from mmavs.datasets.checking.clip_files import ClipFiles
from mmavs.datasets.checking.images import Reporter
from mmavs.datasets.checking.log_mels import (
    check_log_mel,
    check_same_audio,
)
from mmavs.datasets.log_mel_files import CONVERTED
from mmavs.datasets.transforms.pack_avs_inputs import digest_array

__all__ = ['check_audio']


def check_audio(files: ClipFiles) -> None:
    """Check the wav file and the log-mel of a clip.

    The log-mel, and what it may have been converted to, is needed only where
    there is no wav file.

    Args:
        files: of the clip.
    """
    wav_path = files.path('audio_path')
    has_wav = os.path.exists(files.full(wav_path))
    published = files.path('log_mel_path')
    log_mel_paths = [
        path
        for path in (published, *_converted(published))
        if os.path.exists(files.full(path))
    ]
    report = files.reporter(wav_path)
    if not has_wav and not log_mel_paths:
        message = f'{wav_path} does not exist, nor does {published}'
        report('missing', message)
    sound, is_same = None, True
    if files.is_there('audio_path', wav_path, report, is_missed=False):
        sound = _load_waveform(files, wav_path, report)
        if sound is not None:
            _note_content(files, wav_path, sound.waveform)
    for path in log_mel_paths:
        report = files.reporter(path, is_needed=not has_wav)
        if files.is_there('log_mel_path', path, report):
            log_mel = _load_log_mel(files, path, report)
            if log_mel is None:
                continue
            if not has_wav:
                _note_content(files, path, log_mel)
            if sound is None:
                if is_silent(log_mel):
                    report('silent', f'log-mel {path} is that of silence')
            elif is_same:
                # Other forms of it differ alike: one is enough to say so.
                used = log_mel[: files.num_frames]
                is_same = check_same_audio(used, path, sound, report)
    # One, however many forms of it there are.
    files.findings.expected['log_mel_path'] = 1
    files.findings.found['log_mel_path'] = int(bool(log_mel_paths))


def _load_waveform(
    files: ClipFiles, path: str, report: Reporter
) -> Sound | None:
    if files.task.is_quick:
        check_wav_header(files.full(path), files.num_frames, report)
        return None
    content = files.read(path, report)
    if content is None:
        return None
    return check_waveform(content, path, files.num_frames, report)


def _load_log_mel(
    files: ClipFiles, path: str, report: Reporter
) -> np.ndarray | None:
    content = None if files.task.is_quick else files.read(path, report)
    if content is None:
        return None
    return check_log_mel(content, path, files.num_frames, report)


def _note_content(files: ClipFiles, path: str, audio: np.ndarray) -> None:
    """Note what is played, to compare it with other clips."""
    if not is_silent(audio):
        files.findings.audio_digests[path] = digest_array(audio)


def _converted(path: str) -> list[str]:
    """Names of what a log-mel may have been converted to."""
    return [str(PurePosixPath(path).with_suffix(end)) for end in CONVERTED]
