# The synthetic MS3, a seventh of whose training clips are heard with a sound
# that nothing in them makes. MS3 has no classes, so clips.json tells what is
# in view and what is heard.
_base_ = './synthetic_ms3.py'

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
