# PVTv2-B5, the backbone of the published model.
_base_ = '../mmvae_pvt_s4.py'
