"""One sheet per clip, while validating and testing."""

from __future__ import annotations

from mmengine.runner import Runner
from mmseg.engine.hooks import SegVisualizationHook
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample


@HOOKS.register_module()
class AVSVisualizationHook(SegVisualizationHook):
    """Draws every clip of each ``interval``-th batch as one sheet.

    As in ``SegVisualizationHook``, nothing is drawn until ``draw=True``, which
    mmseg's ``tools/test.py --show-dir DIR`` sets. The visualizer must be an
    ``AVSLocalVisualizer``.

    Args:
        draw: draw at all.
        interval: draw every ``interval``-th batch. 1, every clip, by default:
            upstream's 50 would draw nothing in a test of 49 batches.
        **kwargs: further arguments of ``SegVisualizationHook``.
    """

    def __init__(
        self, draw: bool = False, interval: int = 1, **kwargs
    ) -> None:
        super().__init__(draw=draw, interval=interval, **kwargs)

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
        if self.draw is False or mode == 'train':
            return
        if not self.every_n_inner_iters(batch_idx, self.interval):
            return
        start = 0
        for log_mel in data_batch['inputs']['log_mel']:
            clip = outputs[start : start + len(log_mel)]
            start += len(log_mel)
            self._visualizer.add_clip(
                f'{mode}_{clip[0].video_id}',
                clip,
                log_mel=log_mel.cpu().numpy(),
                show=self.show,
                wait_time=self.wait_time,
                step=runner.iter,
            )
