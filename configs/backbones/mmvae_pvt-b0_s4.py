# The smallest PVTv2.
_base_ = '../mmvae_pvt_s4.py'
url = 'https://github.com/whai362/PVT/releases/download/v2/'
model = dict(
    backbone=dict(
        variant='b0', init_cfg=dict(checkpoint=url + 'pvt_v2_b0.pth')
    ),
    neck=dict(in_channels=(32, 64, 160, 256)),
)
