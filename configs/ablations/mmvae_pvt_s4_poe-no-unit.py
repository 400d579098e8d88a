# Each code is a sample of PoE(specific, shared).
_base_ = ['../mmvae_pvt_s4.py']
model = dict(
    neck=dict(latents=dict(type='ProductOfExpertsLatents', unit_expert=False)),
)
