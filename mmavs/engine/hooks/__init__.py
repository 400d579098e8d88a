"""Hooks."""

from mmavs.engine.hooks.avs_visualization_hook import AVSVisualizationHook
from mmavs.engine.hooks.compile_hook import CompileHook
from mmavs.engine.hooks.finite_loss_hook import FiniteLossHook
from mmavs.engine.hooks.iteration_seed_hook import IterationSeedHook
from mmavs.engine.hooks.latent_warmup_hook import LatentWarmupHook
from mmavs.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from mmavs.engine.hooks.unreadable_clips_hook import UnreadableClipsHook

__all__ = [
    'AVSVisualizationHook',
    'CompileHook',
    'FiniteLossHook',
    'IterationSeedHook',
    'LatentWarmupHook',
    'SafeCheckpointHook',
    'UnreadableClipsHook',
]
