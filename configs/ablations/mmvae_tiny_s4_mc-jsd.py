# The JSD of c against the arithmetic mixture, by Monte Carlo.
_base_ = ['../mmvae_tiny_s4.py']
model = dict(
    decode_head=dict(
        divergences=dict(shared=dict(type='MonteCarloJSDLoss')),
    ),
)
