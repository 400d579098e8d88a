# The published model: PVTv2-B5, VGGish, factorised latents, TPAVI.
channels = 128
latent_channels = 16
model = dict(
    type='AVEncoderDecoder',
    data_preprocessor=dict(
        type='AVSegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size_divisor=32,
    ),
    backbone=dict(
        type='PVTv2',
        variant='b5',
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://github.com/whai362/PVT/releases/download/v2/'
            'pvt_v2_b5.pth',
        ),
    ),
    audio_backbone=dict(
        type='VGGish',
        frozen=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://github.com/harritaylor/torchvggish/releases/'
            'download/v0.1/vggish-10086976.pth',
        ),
    ),
    neck=dict(
        type='LatentFactorisationNeck',
        in_channels=(64, 128, 320, 512),
        out_channels=channels,
        audio_channels=128,
        latent_channels=latent_channels,
        latents=dict(type='FactorisedLatents'),
        mapping=dict(type='BasicMapping'),
    ),
    decode_head=dict(
        type='VAEDecodeHead',
        in_channels=(channels,) * 4,
        channels=channels,
        fusion=dict(type='TPAVI'),
        decoder=dict(type='ResidualPyramidDecoder'),
        # The published forms; see the docstring of each for the other one.
        loss_decode=dict(type='StructureLoss', weighted_bce=False),
        divergences=dict(
            visual_specific=dict(type='GaussianKLLoss', loss_weight=0.01),
            audio_specific=dict(type='GaussianKLLoss', loss_weight=0.01),
            shared=dict(type='GeometricJSDLoss', loss_weight=0.01),
        ),
        loss_orthogonality=dict(type='OrthogonalityLoss', loss_weight=0.001),
        loss_mutual_information=dict(
            type='MutualInformationLoss',
            code_channels=latent_channels,
            normalised=False,
            loss_weight=0.001,
        ),
        loss_matching=dict(
            type='AVMatchingLoss', reduction='sum', loss_weight=0.5
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
