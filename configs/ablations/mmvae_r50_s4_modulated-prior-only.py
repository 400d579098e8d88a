# As modulated, without a posterior: what the codes do as a path of sound.
_base_ = ['./mmvae_r50_s4_prior-only.py']
model = dict(
    neck=dict(injection=dict(type='ModulatedInjection')),
)
