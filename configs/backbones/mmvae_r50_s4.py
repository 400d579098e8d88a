# ResNet-50, the second backbone of the paper.
_base_ = '../mmvae_r50_s4.py'
