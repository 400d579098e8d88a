"""From the samples of frames back to clips."""

from collections.abc import Sequence


def group_clips(samples: Sequence[dict]) -> list[list[dict]]:
    """Group the samples of frames by clip.

    Args:
        samples: Samples in clip-major order, with ``video_id``,
            ``frame_idx`` and ``num_frames``.

    Returns:
        list[list[dict]]: The T samples of each clip.

    Raises:
        ValueError: If a clip is incomplete or its frames are not in order.
    """
    clips: list[list[dict]] = []
    start = 0
    while start < len(samples):
        for key in ('video_id', 'frame_idx', 'num_frames'):
            if key not in samples[start]:
                raise ValueError(
                    f'a metric of clips needs {key!r} in every data sample'
                )
        video_id = samples[start]['video_id']
        num_frames = samples[start]['num_frames']
        clip = list(samples[start : start + num_frames])
        found = [(s.get('video_id'), s.get('frame_idx')) for s in clip]
        if found != [(video_id, t) for t in range(num_frames)]:
            raise ValueError(
                f'clip {video_id!r} must come as frames 0 to '
                f'{num_frames - 1} in a row, got {found}'
            )
        clips.append(clip)
        start += num_frames
    return clips
