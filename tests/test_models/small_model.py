"""The whole model at a size that a test can afford."""

import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmavs.structures import ClipBatch, FrameLabels

CHANNELS, CODES = 16, 4
LEVELS = (4, 8, 16, 32)

HEAD = dict(
    type='VAEDecodeHead',
    in_channels=(CHANNELS,) * 4,
    channels=CHANNELS,
    fusion=dict(type='TPAVI'),
    divergences=dict(
        visual_specific=dict(type='GaussianKLLoss'),
        audio_specific=dict(type='GaussianKLLoss'),
        shared=dict(type='GeometricJSDLoss'),
    ),
    loss_orthogonality=dict(type='OrthogonalityLoss'),
    loss_mutual_information=dict(
        type='MutualInformationLoss', code_channels=CODES
    ),
    loss_matching=dict(type='AVMatchingLoss'),
)
NECK = dict(
    type='LatentFactorisationNeck',
    in_channels=LEVELS,
    out_channels=CHANNELS,
    audio_channels=8,
    latent_channels=CODES,
)


def build_model(head=None, neck=None, audio=None, seed=0, **kwargs):
    """Build the segmentor in training mode.

    Args:
        head, neck, audio: settings that replace those above.
        seed: of the random weights.
        **kwargs: arguments of the segmentor.
    """
    torch.manual_seed(seed)
    model = MODELS.build(
        dict(
            type='AVEncoderDecoder',
            backbone=dict(type='ResNet', depth=18, base_channels=4),
            audio_backbone=dict(
                dict(type='VGGish', width=0.03, out_channels=8),
                **(audio or {}),
            ),
            neck=dict(NECK, **(neck or {})),
            decode_head=dict(HEAD, **(head or {})),
            **kwargs,
        )
    )
    # The fusion starts without sound; a test of the whole wants to hear.
    for fusion in model.decode_head.fusion:
        torch.nn.init.normal_(fusion.out_norm.weight, 1.0, 0.1)
    return model.train()


def make_batch(num_clips=2, num_frames=3, size=(64, 64), seed=0):
    """Frames and log-mels of B clips."""
    rng = torch.Generator().manual_seed(seed)
    n = num_clips * num_frames
    return ClipBatch(
        torch.randn(n, 3, *size, generator=rng),
        torch.randn(n, 1, 96, 64, generator=rng),
        num_frames,
    )


def make_masks(batch, labelled=None, seed=0):
    """Masks (N, H, W); 255 all over the frames that are not labelled."""
    n, _, h, w = batch.frames.shape
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, 1, 4, 4, generator=rng) > 0.5
    masks = torch.nn.functional.interpolate(coarse.float(), size=(h, w))
    masks = masks[:, 0].long()
    if labelled is not None:
        unlabelled = [i for i in range(n) if i not in labelled]
        masks[unlabelled] = 255
    return masks


def make_samples(masks, num_frames=3):
    """One data sample per frame, as the preprocessor gives them."""
    samples = []
    for n, mask in enumerate(masks):
        size = tuple(mask.shape)
        sample = SegDataSample(
            metainfo=dict(
                video_id=f'clip{n // num_frames}',
                frame_idx=n % num_frames,
                num_frames=num_frames,
                img_path=f'{n}.png',
                ori_shape=size,
                img_shape=size,
                pad_shape=size,
            )
        )
        sample.gt_sem_seg = PixelData(data=mask[None])
        samples.append(sample)
    return samples


def make_labels(batch, labelled=None, seed=0):
    """FrameLabels of a batch."""
    masks = make_masks(batch, labelled, seed)
    return FrameLabels.from_samples(make_samples(masks))
