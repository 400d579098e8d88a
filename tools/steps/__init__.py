"""What the scripts share that run other scripts; nothing here is a script.

``runner`` does commands once each, ``synthetic`` has those that come before a
training on synthetic clips, ``variants`` those that train and test the
variants of the model, and ``variant_table`` shows what these scored.
"""
