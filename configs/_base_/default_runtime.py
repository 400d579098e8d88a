# Every config of mmavs inherits this file.
# The import registers the components and installs the compatibility shims, so
# that the training and test scripts of mmsegmentation run the config as well.
custom_imports = dict(imports=['mmavs'], allow_failed_imports=False)
default_scope = 'mmseg'

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # gloo takes the place of nccl on machines without GPUs.
    dist_cfg=dict(backend='nccl'),
)
randomness = dict(seed=1234)

# TensorBoard: add dict(type='TensorboardVisBackend') to the list, or replace
# the one with --cfg-options
# visualizer.vis_backends.0.type=TensorboardVisBackend.
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(
    type='AVSLocalVisualizer', vis_backends=vis_backends, name='visualizer'
)

# Counted in epochs, as the published recipe; a schedule in iterations sets
# by_epoch=False here and in the checkpoint hook.
log_processor = dict(by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='SafeCheckpointHook',
        by_epoch=True,
        interval=1,
        # The one before stays, in case a disk damages the last.
        max_keep_ckpts=2,
        save_best='mIoU',
        rule='greater',
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    iteration_seed=dict(type='IterationSeedHook'),
    # Stops at NaN or infinity; max_skipped=N leaves out up to N batches.
    finite_loss=dict(type='FiniteLossHook', max_skipped=0),
    # max_clips=N puts others in the place of up to N clips that cannot be
    # read; 0 makes the first an error.
    unreadable_clips=dict(type='UnreadableClipsHook', max_clips=0),
    visualization=dict(type='AVSVisualizationHook'),
)
