"""Python entry points."""

from mmavs.apis.sound_conditions import evaluate_sound_conditions

__all__ = ['evaluate_sound_conditions']
