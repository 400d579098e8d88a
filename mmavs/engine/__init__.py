"""What drives the training: optimizer wrappers and hooks."""

from mmavs.engine import hooks
from mmavs.engine.optim_wrappers import BF16OptimWrapper

__all__ = ['BF16OptimWrapper', 'hooks']
