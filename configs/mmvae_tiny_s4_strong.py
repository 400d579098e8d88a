# Augments frames and sound more than mmvae_tiny_s4.py does.
_base_ = ['./mmvae_tiny_s4.py', './_base_/datasets/synthetic_strong.py']
train_dataloader = dict(dataset=dict(pipeline=_base_.strong_pipeline))
