# The prior of c is the geometric mean of unimodal ones, Eq. 12.
_base_ = ['../mmvae_pvt_s4.py']
model = dict(
    neck=dict(latents=dict(type='DynamicPriorLatents')),
    decode_head=dict(
        divergences=dict(shared=dict(type='GaussianKLLoss')),
    ),
)
