"""Scoring at the size that the model sees."""

from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ScoreAtInputSize(BaseTransform):
    """Take the present size of a frame for its original one.

    Predictions come back in the original size of a frame. Where data sets
    are scored at the size of the input, as AVSBench-semantic is, this comes
    in a test pipeline after both frame and mask were resized.

    Required key: ``img``.
    Changed key: ``ori_shape``. Predicted masks, and pictures of them, have
    this size too.
    """

    def transform(self, results: dict) -> dict:
        """Set ``ori_shape`` to the size of ``img``."""
        results['ori_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'
