"""What drives the training: loops, optimizer wrappers and hooks."""

from mmavs.engine import hooks, loops
from mmavs.engine.optim_wrappers import BF16OptimWrapper

__all__ = ['BF16OptimWrapper', 'hooks', 'loops']
