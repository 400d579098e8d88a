# No latents: the TPAVI baseline, with one path and one decoder.
_base_ = ['../mmvae_tiny_s4.py']
terms = ('divergences', 'loss_orthogonality', 'loss_mutual_information')
model = dict(
    neck=dict(
        {k: v for k, v in _base_.model.neck.items() if k[:6] != 'latent'},
        _delete_=True,
        type='AVMappingNeck',
    ),
    decode_head=dict(
        {k: v for k, v in _base_.model.decode_head.items() if k not in terms},
        _delete_=True,
        type='AVDecodeHead',
    ),
)
