"""Which files a clip has."""

from __future__ import annotations

from .plan import ClipPlan

__all__ = ['clip_files']


def clip_files(
    plan: ClipPlan, log_mel: bool = False
) -> dict[str, dict[int, str]]:
    """The files of one clip.

    Args:
        plan: the clip.
        log_mel: whether log-mel features are among them.

    Returns:
        Name of the pattern in the layout to the position of a frame, 0 .. T -
        1, to its path; what a clip has one of is at 0. All are relative to
        the root of the setting, with forward slashes.
    """
    layout, row = plan.layout, plan.row()
    labelled = layout.labelled_numbers(row)
    numbers = dict(
        img_path=layout.frame_numbers(row),
        seg_map_path=labelled,
        seg_map_rgb_path=labelled,
    )
    files = {
        key: {
            k - layout.first_frame: layout.path(key, row, k)
            for k in numbers[key]
        }
        for key in numbers
        if key in layout.patterns
    }
    files['audio_path'] = {0: layout.path('audio_path', row)}
    if log_mel:
        files['log_mel_path'] = {0: layout.path('log_mel_path', row)}
    return files
