# The codes scale and shift the channels of every level.
_base_ = ['../mmvae_pvt_s4.py']
model = dict(
    neck=dict(injection=dict(type='ModulatedInjection')),
)
