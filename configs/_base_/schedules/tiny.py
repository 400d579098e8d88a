# A short schedule for the CPU: bf16 autocast, one decaying cycle.
optim_wrapper = dict(
    type='BF16OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4, fused=True),
    clip_grad=dict(max_norm=5.0),
)
max_iters = 280
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=30, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=30,
        end=max_iters,
        eta_min=1e-5,
        by_epoch=False,
    ),
]
train_cfg = dict(
    type='ExactIterBasedTrainLoop', max_iters=max_iters, val_interval=140
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
