"""Work on many files in processes of which any may die or get stuck."""

from mmavs.datasets.processes.pool import run_tasks
from mmavs.datasets.processes.worker import Failure

__all__ = ['Failure', 'run_tasks']
