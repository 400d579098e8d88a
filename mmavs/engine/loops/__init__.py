"""Training loops."""

from mmavs.engine.loops.exact_epoch_based_train_loop import (
    ExactEpochBasedTrainLoop,
)
from mmavs.engine.loops.exact_iter_based_train_loop import (
    ExactIterBasedTrainLoop,
)

__all__ = ['ExactEpochBasedTrainLoop', 'ExactIterBasedTrainLoop']
