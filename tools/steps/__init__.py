"""What scripts share; nothing here is a script.

``arguments`` checks values of command lines, ``progress`` shows the bar of a
converter, ``throughput`` what the benchmark of the data measured.
``inference_options`` is the command line of the inference,
``inference_checks`` what can be wrong with it, and ``messages`` what it says
beside its result; ``moving_video``, ``measured_command`` and
``inference_report`` are of its benchmark, and ``environment`` is what such
numbers depend on. The rest is of the scripts that run other scripts:
``runner`` does commands once each, ``synthetic`` has those that come before a
training on synthetic clips, ``variants`` those that train and test the
variants of the model, and ``variant_table`` shows what these scored.
"""
