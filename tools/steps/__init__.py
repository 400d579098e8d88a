"""What scripts share; nothing here is a script.

``progress`` shows the bar of a converter, ``throughput`` what the benchmark of
the data measured. The rest is of the scripts that run other scripts:
``runner`` does commands once each, ``synthetic`` has those that come before a
training on synthetic clips, ``variants`` those that train and test the
variants of the model, and ``variant_table`` shows what these scored.
"""
