# MS3 from the weights of S4: train mmvae_pvt_s4.py first, or name another
# checkpoint with --cfg-options load_from=PATH.
_base_ = './mmvae_pvt_ms3.py'
load_from = 'work_dirs/mmvae_pvt_s4/epoch_15.pth'
