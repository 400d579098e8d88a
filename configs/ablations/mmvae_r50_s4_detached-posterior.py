# The posterior path does not train the visual backbone.
_base_ = ['../mmvae_r50_s4.py']
model = dict(
    neck=dict(detach_posterior=True),
)
