"""What mmavs needs to run unchanged on every supported stack.

Four shims, each a no-op where it is not needed:

=======================  ==================================================
module                   needed when
=======================  ==================================================
``mmcv_ops``             mmcv was installed without its compiled operators
``checkpoints``          always: checkpoints are read without running code
``cpu_distributed``      several processes train on CPUs (gloo)
``resuming``             always: the config in a checkpoint is not run
=======================  ==================================================

:func:`install` puts them in place; importing this module, or anything in it,
changes nothing. ``dependencies`` is the version check that comes before.
"""

from mmavs.compat.dependencies import check_dependencies


def install() -> None:
    """Install the four shims; calling it again changes nothing."""
    # Imported here: these modules need mmcv, mmengine and torch, while
    # ``check_dependencies`` must be importable without them.
    from mmavs.compat.checkpoints import register_safe_loaders
    from mmavs.compat.cpu_distributed import enable_cpu_distributed
    from mmavs.compat.mmcv_ops import stub_missing_ops
    from mmavs.compat.resuming import ignore_configs_of_checkpoints

    stub_missing_ops()
    register_safe_loaders()
    enable_cpu_distributed()
    ignore_configs_of_checkpoints()


__all__ = ['check_dependencies', 'install']
