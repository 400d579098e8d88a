"""Hooks."""

from mmavs.engine.hooks.avs_visualization_hook import AVSVisualizationHook

__all__ = ['AVSVisualizationHook']
