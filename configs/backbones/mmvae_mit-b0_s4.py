_base_ = '../mmvae_pvt_s4.py'
url = 'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/'
url += 'mit_b0_20220624-7e0fe6dd.pth'
model = dict(
    backbone=dict(
        _delete_=True,
        type='MixVisionTransformer',
        embed_dims=32,
        num_layers=(2, 2, 2, 2),
        num_heads=(1, 2, 5, 8),
        drop_path_rate=0.1,
        init_cfg=dict(type='Pretrained', checkpoint=url),
    ),
    neck=dict(in_channels=(32, 64, 160, 256)),
)
