# Several classes, as mmvae_pvt_avss.py: the eight of the synthetic set and the
# background.
_base_ = ['./mmvae_tiny.py']
model = dict(
    decode_head=dict(
        num_classes=9,
        out_channels=9,
        loss_decode=dict(
            _delete_=True, type='CrossEntropyLoss', avg_non_ignore=True
        ),
    ),
)
