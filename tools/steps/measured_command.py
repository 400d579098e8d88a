"""What a command takes: time, and its peak of memory.

Linux counts what a process holds when it starts another one as the peak of
the other. So this file is also run by an interpreter of its own, a small one:
that starts the command, waits for it and tells.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CommandUsage:
    """What one run of a command took.

    Attributes:
        status: its exit status; that of a signal is negative.
        wall_s: seconds on the clock.
        cpu_s: seconds of computing, all its threads added up.
        peak_mib: largest resident set, of it or the largest of the processes
            it waited for.
    """

    status: int
    wall_s: float
    cpu_s: float
    peak_mib: float


def measure_command(command: Sequence[str], log: Path) -> CommandUsage:
    """Run a command to its end.

    Args:
        command: the program and its arguments.
        log: where its output goes.

    Raises:
        OSError: if it cannot be started.
    """
    launcher = [sys.executable, '-I', '-S', __file__, str(log), *command]
    result = subprocess.run(launcher, capture_output=True, text=True)
    if result.returncode:
        reason = result.stderr.strip().splitlines()[-1]
        raise OSError(f'{command[0]} cannot be started: {reason}')
    return CommandUsage(**json.loads(result.stdout))


def _launch(log: str, command: Sequence[str]) -> dict[str, float]:
    with open(log, 'wb') as output:
        start = time.monotonic()
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - start
    # In bytes there, in KiB elsewhere.
    units_per_mib = 2**20 if sys.platform == 'darwin' else 2**10
    return dict(
        status=os.waitstatus_to_exitcode(status),
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mib=usage.ru_maxrss / units_per_mib,
    )


if __name__ == '__main__':
    print(json.dumps(_launch(sys.argv[1], sys.argv[2:])))
