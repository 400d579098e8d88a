# The synthetic S4, a seventh of whose training clips are heard with a sound
# that nothing in them makes. What is in view decides which sounds those are,
# so clips.json tells it: the category names only the object that sounds.
_base_ = './synthetic_s4.py'

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
