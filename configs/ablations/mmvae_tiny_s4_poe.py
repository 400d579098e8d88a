# Each code is a sample of PoE(unit, specific, shared).
_base_ = ['../mmvae_tiny_s4.py']
model = dict(
    neck=dict(latents=dict(type='ProductOfExpertsLatents')),
)
