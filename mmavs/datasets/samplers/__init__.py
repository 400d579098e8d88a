"""Samplers of clips."""

from mmavs.datasets.samplers.same_length_batch_sampler import (
    SameLengthBatchSampler,
)
from mmavs.datasets.samplers.visit_batch_sampler import (
    Visit,
    VisitBatchSampler,
)

__all__ = ['SameLengthBatchSampler', 'Visit', 'VisitBatchSampler']
