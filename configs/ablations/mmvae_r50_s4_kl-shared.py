# KL(q(c | X, y) || p(c | X)) in the place of the JSD, Eq. 12.
_base_ = ['../mmvae_r50_s4.py']
model = dict(
    decode_head=dict(
        divergences=dict(shared=dict(type='GaussianKLLoss')),
    ),
)
