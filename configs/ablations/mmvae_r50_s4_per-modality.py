# One decoding per modality, with its code alone (Eq. 11).
_base_ = ['../mmvae_r50_s4.py']
model = dict(
    neck=dict(injection=dict(type='PerModalityInjection')),
)
