"""One sheet per clip, while training (in validation) and testing."""

from __future__ import annotations

import math

from mmengine.dist import get_world_size, is_main_process
from mmengine.runner import Runner
from mmseg.engine.hooks import SegVisualizationHook
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample


@HOOKS.register_module()
class AVSVisualizationHook(SegVisualizationHook):
    """Draws clips as one sheet each.

    As in ``SegVisualizationHook``, nothing is drawn until ``draw=True``, which
    mmseg's ``tools/test.py --show-dir DIR`` sets for a test. In a training,
    ``default_hooks.visualization.draw=True`` draws some clips of every
    validation, the same ones each time. A sheet is called ``val_`` or
    ``test_`` and the id of the clip, with the iteration as its step: a
    backend such as TensorBoard shows how the prediction for a clip develops.
    The visualizer must be an ``AVSLocalVisualizer``. In a distributed run the
    clips of the first process are drawn.

    Args:
        draw: draw at all.
        interval: draw of every ``interval``-th batch. 1, every batch, by
            default: upstream's 50 would draw nothing in a test of 49 batches.
        max_clips: most sheets of a validation, spread evenly over its clips;
            None draws them all. A test has no such limit.
        **kwargs: further arguments of ``SegVisualizationHook``.

    Raises:
        ValueError: if ``max_clips`` is less than 1.
    """

    def __init__(
        self,
        draw: bool = False,
        interval: int = 1,
        max_clips: int | None = 8,
        **kwargs,
    ) -> None:
        super().__init__(draw=draw, interval=interval, **kwargs)
        if max_clips is not None and max_clips < 1:
            raise ValueError(
                f'max_clips must be 1 or more, or None, got {max_clips}'
            )
        self.max_clips = max_clips
        self._num_seen = 0

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict,
        outputs: list[SegDataSample],
        mode: str = 'val',
    ) -> None:
        """Draw the clips of a batch.

        Args:
            runner: the runner.
            batch_idx: index of the batch in the loop.
            data_batch: ``inputs['log_mel']`` holds (T, 1, 96, 64) per clip.
            outputs: samples of the N = B T frames, clip-major.
            mode: ``val`` or ``test``; nothing is drawn in ``train``.
        """
        if self.draw is False or mode == 'train' or not is_main_process():
            return
        if batch_idx < self.interval:
            self._num_seen = 0
        if not self.every_n_inner_iters(batch_idx, self.interval):
            return
        start = 0
        for log_mel in data_batch['inputs']['log_mel']:
            clip = outputs[start : start + len(log_mel)]
            start += len(log_mel)
            if mode == 'test' or self._is_next(runner):
                self._visualizer.add_clip(
                    f'{mode}_{clip[0].video_id}',
                    clip,
                    log_mel=log_mel.cpu().numpy(),
                    show=self.show,
                    wait_time=self.wait_time,
                    step=runner.iter,
                )

    def _is_next(self, runner: Runner) -> bool:
        """Whether the next clip of a validation is among those drawn."""
        if self.max_clips is None:
            return True
        num_clips = len(runner.val_dataloader.dataset)
        # At least as many as this process meets in the batches of interest.
        num_clips = math.ceil(num_clips / get_world_size() / self.interval)
        index = self._num_seen
        self._num_seen += 1
        # Evenly: as often as a multiple of max_clips passes num_clips.
        return index * self.max_clips % num_clips < self.max_clips
