_base_ = '../mmvae_pvt_s4.py'
url = 'https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/swin/'
url += 'swin_tiny_patch4_window7_224_20220317-1cdeb081.pth'
model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        embed_dims=96,
        depths=(2, 2, 6, 2),
        num_heads=(3, 6, 12, 24),
        drop_path_rate=0.1,
        init_cfg=dict(type='Pretrained', checkpoint=url),
    ),
    neck=dict(in_channels=(96, 192, 384, 768)),
)
