"""Samplers of clips."""

from mmavs.datasets.samplers.same_length_batch_sampler import (
    SameLengthBatchSampler,
)

__all__ = ['SameLengthBatchSampler']
