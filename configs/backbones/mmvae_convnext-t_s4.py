_base_ = '../mmvae_pvt_s4.py'
custom_imports = dict(imports=['mmavs', 'mmpretrain.models'])
url = 'https://download.openmmlab.com/mmclassification/v0/convnext/downstream/'
url += 'convnext-tiny_3rdparty_32xb128-noema_in1k_20220301-795e9634.pth'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ConvNeXt',
        arch='tiny',
        out_indices=(0, 1, 2, 3),
        gap_before_final_norm=False,
        init_cfg=dict(type='Pretrained', checkpoint=url, prefix='backbone.'),
    ),
    neck=dict(in_channels=(96, 192, 384, 768)),
)
