"""No call that runs what is in a file, or hands a name to a shell."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(
    path for name in ('mmavs', 'tools') for path in (ROOT / name).rglob('*.py')
)
# As they are written, however imported.
FORBIDDEN = {
    'eval',
    'exec',
    'os.popen',
    'os.system',
    'pickle.load',
    'pickle.loads',
    'pickle.Unpickler',
    'shutil.unpack_archive',
    'subprocess.getoutput',
    'subprocess.getstatusoutput',
    'tarfile.open',
    'torch.hub.load',
    'torch.hub.load_state_dict_from_url',
    'yaml.load',
}
# Archives may be looked into, but not unpacked: their names say where to.
UNPACKING = ('.extract', '.extractall')


def unsafe_calls(source: str) -> list[str]:
    """Calls that may run something, each with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            # So that what is called below has the name of its module.
            found += [
                f'{node.lineno}: {node.module}.{alias.name} imported by name'
                for alias in node.names
                if f'{node.module}.{alias.name}' in FORBIDDEN
            ]
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if (
            name in FORBIDDEN
            or name.endswith(UNPACKING)
            or (name == 'torch.load' and given.get('weights_only') != 'True')
            or given.get('shell', 'False') != 'False'
            or given.get('allow_pickle', 'False') != 'False'
        ):
            found.append(f'{node.lineno}: {ast.unparse(node)}')
    return found


def test_nothing_is_run():
    assert len(FILES) > 100
    found = {
        path.relative_to(ROOT).as_posix(): unsafe_calls(path.read_text())
        for path in FILES
    }
    assert {path: calls for path, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    'source',
    [
        'torch.load(path)',
        'torch.load(path, weights_only=False)',
        'pickle.load(file)',
        'from pickle import loads',
        'np.load(path, allow_pickle=True)',
        'subprocess.run(text, shell=True)',
        "os.system(f'rm {name}')",
        'eval(text)',
        'archive.extractall(folder)',
    ],
)
def test_what_is_found(source):
    assert len(unsafe_calls(source)) == 1
