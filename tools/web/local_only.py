"""A process that asks nobody else anything."""

from __future__ import annotations

import ipaddress
import logging
import socket
import sys
from contextlib import suppress
from typing import Any

_LOGGER = logging.getLogger(__name__)
# What Python announces before it does it; whom it asks is the first or the
# second argument: https://docs.python.org/3/library/audit_events.html
_LOOKS_UP = {'socket.getaddrinfo', 'socket.gethostbyname'}
_CONNECTS = {'socket.connect', 'socket.sendto', 'socket.sendmsg'}


def stay_local(host: str) -> None:
    """Let this process connect to nothing but this machine, for good.

    A client of a Gradio page can send an address in the place of a file, or
    ask for ``file=ADDRESS``: the server would fetch it. This does not hang on
    the version of Gradio: Python itself asks before it connects, or looks up
    a name.

    Args:
        host: What the page listens on.
    """
    names = {None, '', 'localhost', host}
    with suppress(OSError):  # nobody can listen on that either
        names |= {info[4][0] for info in socket.getaddrinfo(host, None)}

    def check(event: str, args: tuple) -> None:
        if event in _LOOKS_UP:
            name = args[0]
        elif event in _CONNECTS and isinstance(args[1], tuple):
            name = args[1][0]
        else:  # also sockets that are files, or connected already
            return
        if name not in names and not _is_local(name):
            _LOGGER.warning('not connected to %s: it is not local', name)
            raise PermissionError(f'{name} is not on this machine')

    # It would replace the event loop by one that does not ask Python.
    sys.modules['uvloop'] = None  # type: ignore[assignment]
    sys.addaudithook(check)


def _is_local(name: Any) -> bool:
    """Whether an address is of this machine, on every machine."""
    if isinstance(name, bytes):
        name = name.decode(errors='replace')
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == 'localhost'
    return address.is_loopback or address.is_unspecified
