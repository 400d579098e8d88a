# Augments frames and sound more than the paper does.
_base_ = ['./mmvae_pvt_ms3.py', './_base_/datasets/avsbench_strong.py']
train_dataloader = dict(dataset=dict(pipeline=_base_.strong_pipeline))
