# timm fetches its own weights when the model is built; see docs/backbones.md.
_base_ = '../mmvae_pvt_s4.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='TIMMBackbone',
        model_name='efficientnet_b0.ra_in1k',
        pretrained=True,
        out_indices=(1, 2, 3, 4),  # without the level at stride 2
        drop_path_rate=0.1,
    ),
    neck=dict(in_channels=(24, 40, 112, 320)),
)
