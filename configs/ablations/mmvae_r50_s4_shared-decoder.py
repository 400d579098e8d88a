# Both paths are decoded by the decoder of the prior path.
_base_ = ['../mmvae_r50_s4.py']
model = dict(
    decode_head=dict(shared_decoder=True),
)
