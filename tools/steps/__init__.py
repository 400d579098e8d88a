"""What scripts share; nothing here is a script.

``progress`` shows the bar of a converter, ``throughput`` what the benchmark of
the data measured. ``inference_options`` is the command line of the inference
and ``messages`` what it says beside its result; ``moving_video`` and
``measured_command`` are of its benchmark. The rest is of the scripts that run
other scripts: ``runner`` does commands once each, ``synthetic`` has those that
come before a training on synthetic clips, ``variants`` those that train and
test the variants of the model, and ``variant_table`` shows what these scored.
"""
