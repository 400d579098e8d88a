# The baseline without its sound: how far one gets by looking.
_base_ = ['./mmvae_pvt_s4_tpavi.py']
model = dict(deaf=True, decode_head=dict(loss_matching=None))
