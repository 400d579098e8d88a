# Four dilated convolutions map the channels of each level.
_base_ = ['../mmvae_pvt_s4.py']
model = dict(
    neck=dict(mapping=dict(type='ASPPMapping')),
)
