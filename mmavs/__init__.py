"""mmavs: audio-visual segmentation as an MMSegmentation plugin.

Importing the package checks the versions of the stack, installs the
compatibility shims of :mod:`mmavs.compat` and registers every component in
the registries of MMSegmentation. Configs do it with::

    custom_imports = dict(imports=['mmavs'], allow_failed_imports=False)
"""

from mmavs.compat.dependencies import check_dependencies
from mmavs.version import __version__

check_dependencies()

# The shims come before the components: ``mmseg.models`` cannot be imported
# without the first of them where mmcv has no compiled operators.
from mmavs import compat  # noqa: E402

compat.install()

from mmavs import (  # noqa: E402
    apis,
    datasets,
    engine,
    evaluation,
    models,
    visualization,
)

__all__ = [
    '__version__',
    'apis',
    'compat',
    'datasets',
    'engine',
    'evaluation',
    'models',
    'visualization',
]
