# The posterior path does not train the visual backbone.
_base_ = ['../mmvae_pvt_s4.py']
model = dict(
    neck=dict(detach_posterior=True),
)
