"""Models: backbones, necks, fusion, heads, losses and segmentors."""

from mmavs.models.audio_tagger import AudioTagger
from mmavs.models.backbones import *  # noqa: F401, F403
from mmavs.models.data_preprocessor import AVSegDataPreProcessor
from mmavs.models.decode_heads import *  # noqa: F401, F403
from mmavs.models.fusion import *  # noqa: F401, F403
from mmavs.models.latents import *  # noqa: F401, F403
from mmavs.models.losses import *  # noqa: F401, F403
from mmavs.models.necks import *  # noqa: F401, F403
from mmavs.models.segmentors import *  # noqa: F401, F403

__all__ = ['AVSegDataPreProcessor', 'AudioTagger']
