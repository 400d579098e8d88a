# Several classes: cross-entropy over the 71 of AVSBench-semantic, background
# included, in the place of the structure loss.
_base_ = ['./mmvae_pvt.py']
model = dict(
    decode_head=dict(
        num_classes=71,
        out_channels=71,
        loss_decode=dict(
            _delete_=True, type='CrossEntropyLoss', avg_non_ignore=True
        ),
    ),
)
