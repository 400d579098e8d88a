# The S4 set of the synthetic benchmark, a seventh of whose training clips are
# heard with a sound that nothing in them makes, as synthetic_s4_listening.py.
_base_ = './benchmark_s4.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='NegativeSounds',
        share=0.15,
        kinds=dict(
            silence=1, white_noise=2, pink_noise=2, off_screen=2, partial=1
        ),
        clips_file='clips.json',  # relative to data_root
        dataset=_base_.train_dataloader.dataset,
    )
)
