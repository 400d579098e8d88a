# No latents: the TPAVI baseline, with one path and one decoder.
_base_ = ['../mmvae_pvt_s4.py']
kept = ['in_channels', 'channels', 'fusion', 'loss_decode', 'loss_matching']
model = dict(
    neck=dict(
        {k: _base_.model.neck[k] for k in ('in_channels', 'out_channels')},
        _delete_=True,
        type='AVMappingNeck',
    ),
    decode_head=dict(
        {key: _base_.model.decode_head[key] for key in kept},
        _delete_=True,
        type='AVDecodeHead',
    ),
)
