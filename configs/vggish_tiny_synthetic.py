# Teaches a small VGGish the categories of the synthetic S4 set, as AudioSet
# taught the public one. Run by tools/pretrain_audio.py.
_base_ = ['./_base_/default_runtime.py']
categories = (
    'organ_disc',
    'siren_triangle',
    'whistle_star',
    'click_cross',
    'hiss_crescent',
    'rumble_square',
    'buzz_trefoil',
    'bell_ring',
)
model = dict(
    type='AudioTagger',
    audio_backbone=dict(type='VGGish', width=0.125, frozen=False),
    num_categories=len(categories),
)
data_root = 'data/synthetic/Single-source'
pack = [
    dict(type='VGGishLogMel'),
    dict(type='PackAudioTags', categories=categories),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='MultiImageMixDataset',
        dataset=dict(
            type='AVSBenchS4Dataset',
            data_root=data_root,
            split='train',
            pipeline=[dict(type='LoadAudio')],
        ),
        # Mixtures, so that a category is also heard beside another one.
        pipeline=[dict(type='MixAudio', max_sources=2), *pack],
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='AVSBenchS4Dataset',
        data_root=data_root,
        split='val',
        test_mode=True,
        pipeline=[dict(type='LoadAudio'), *pack],
    ),
)
val_evaluator = dict(type='AudioTagMetric')
val_cfg = dict(type='ValLoop')
max_iters = 300
train_cfg = dict(
    type='ExactIterBasedTrainLoop', max_iters=max_iters, val_interval=150
)
optim_wrapper = dict(
    type='BF16OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-3, fused=True),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=50, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=50,
        end=max_iters,
        eta_min=1e-5,
        by_epoch=False,
    ),
]
default_hooks = dict(
    checkpoint=dict(
        by_epoch=False,
        interval=150,
        save_best=None,
        max_keep_ckpts=2,
    ),
)
log_processor = dict(by_epoch=False)
