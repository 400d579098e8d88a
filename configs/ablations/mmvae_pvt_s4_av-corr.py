# Gated by the channel-wise correlation instead of TPAVI.
_base_ = ['../mmvae_pvt_s4.py']
model = dict(
    decode_head=dict(fusion=dict(type='AVCorr')),
)
