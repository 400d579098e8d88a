"""The check that the OpenMMLab stack is there and in range.

The version that counts is that of the module which is imported, not that of
an installed distribution: ``mmcv``, ``mmcv-lite`` and the maintained forks
(``onedl-*``) share their import names, and source checkouts have no metadata
at all.
"""

import importlib

# Import name -> (name to install, allowed versions). The upper bound of mmcv
# admits the forks; released mmsegmentation is stricter and says so itself.
REQUIREMENTS: dict[str, tuple[str, str]] = {
    'torch': ('torch', '>=2.6'),
    'mmengine': ('mmengine', '>=0.10.0,<1.0.0'),
    'mmcv': ('mmcv-lite', '>=2.0.0,<3.0.0'),
    'mmseg': ('mmsegmentation', '>=1.2.0,<2.0.0'),
}

HELP = (
    'Install the tested combination from a checkout of mmavs with\n'
    '    pip install -r requirements/stack.txt\n'
    'or see docs/install.md for the other supported stacks.'
)


def check_version(package: str, found: str, allowed: str) -> None:
    """Check one version against its range.

    Args:
        package: The import name, for the message.
        found: The version of the imported module.
        allowed: The allowed range, as a version specifier.

    Raises:
        ImportError: If ``found`` is not a version or lies out of range.
    """
    # ``packaging`` comes with mmengine: it may be missing with it.
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        in_range = SpecifierSet(allowed).contains(
            Version(found), prereleases=True
        )
    except InvalidVersion:
        in_range = False
    if not in_range:
        raise ImportError(
            f'mmavs needs {package} {allowed}, found {package} {found}.\n'
            f'{HELP}',
            name=package,
        )


def check_dependencies() -> None:
    """Check that torch, mmengine, mmcv and mmseg can be used.

    Only the top-level packages are imported: ``mmseg.models`` may need a
    shim that is not in place yet.

    Raises:
        ImportError: If one is missing, broken or out of range. The message
            names it, what was found, the allowed range and the command that
            helps.
    """
    for package, (distribution, allowed) in REQUIREMENTS.items():
        try:
            module = importlib.import_module(package)
        except ModuleNotFoundError as error:
            if error.name == package:
                reason = f'{package} ({distribution} {allowed}) is missing'
            else:
                # As when setuptools no longer has pkg_resources.
                reason = f'{package} cannot be imported: {error}'
            raise ImportError(
                f'mmavs needs {package} {allowed}: {reason}.\n{HELP}',
                name=package,
            ) from error
        except AssertionError as error:
            # mmsegmentation asserts its own range of mmcv and mmengine on
            # import, narrower than ours, and its message gives no maximum.
            raise ImportError(
                f'{package} refuses the versions it finds: {error} '
                'Released mmsegmentation works with mmcv '
                '>=2.0.0rc4,<2.2.0 and mmengine >=0.5.0,<1.0.0 only; '
                'newer ones belong to the onedl-* forks, all of which have '
                f'to be installed together.\n{HELP}',
                name=package,
            ) from error
        version = str(getattr(module, '__version__', 'of unknown version'))
        check_version(package, version, allowed)
