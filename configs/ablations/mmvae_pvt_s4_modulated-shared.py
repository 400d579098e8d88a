# As modulated, both paths decoded by the decoder of the prior path.
_base_ = ['./mmvae_pvt_s4_modulated.py']
model = dict(
    decode_head=dict(shared_decoder=True),
)
