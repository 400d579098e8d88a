# Several classes, as mmvae_pvt_avss.py, on ResNet-50.
_base_ = ['./mmvae_r50.py']
model = dict(
    decode_head=dict(
        num_classes=71,
        out_channels=71,
        loss_decode=dict(
            _delete_=True, type='CrossEntropyLoss', avg_non_ignore=True
        ),
    ),
)
