# MS3 from the weights of S4: train mmvae_tiny_s4.py first, or name another
# checkpoint with --cfg-options load_from=PATH.
_base_ = './mmvae_tiny_ms3.py'
load_from = 'work_dirs/mmvae_tiny_s4/iter_280.pth'
