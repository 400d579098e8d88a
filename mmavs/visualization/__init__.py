"""Pictures of what was seen, heard, marked and predicted."""

from mmavs.visualization.avs_visualizer import AVSLocalVisualizer
from mmavs.visualization.clip_sheet import SheetRow, draw_clip_sheet
from mmavs.visualization.overlay import overlay_classes, overlay_mask
from mmavs.visualization.timeline import Timeline

__all__ = [
    'AVSLocalVisualizer',
    'SheetRow',
    'Timeline',
    'draw_clip_sheet',
    'overlay_classes',
    'overlay_mask',
]
