# The same model, small enough to train from scratch on two CPU cores.
_base_ = ['./mmvae_pvt.py']
channels = 32
model = dict(
    data_preprocessor=dict(channels_last=True),
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        stem_channels=24,
        base_channels=24,
        norm_cfg=dict(type='BN', requires_grad=True),
    ),
    # Weights of tools/pretrain_audio.py configs/vggish_tiny_synthetic.py.
    audio_backbone=dict(
        width=0.125,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/vggish_tiny_synthetic/audio_backbone.pth',
        ),
    ),
    neck=dict(
        in_channels=(24, 48, 96, 192),
        out_channels=channels,
        # Less noise on the codes: in so few steps the prior path would
        # otherwise not always learn to read the sound from them.
        latents=dict(initial_log_var=-3.0),
    ),
    decode_head=dict(
        in_channels=(channels,) * 4,
        channels=channels,
        loss_decode=dict(weighted_bce=True),
        loss_mutual_information=dict(normalised=True),
        loss_matching=dict(reduction='mean'),
    ),
)
