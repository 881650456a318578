"""The web server: processes forked from one that has imported everything, so that none imports it again."""

from __future__ import annotations

import errno
import gc
import socket
from importlib import import_module

from django.conf import settings
from django.db import connections
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

PROCESSES = 2


def serve(*, host: str, port: int, processes: int = PROCESSES) -> None:
    """Serve `settings.ASGI_APPLICATION` until told to stop. Raises SystemExit where the schema is not this version's.

    To be called while this process has one thread: a lock that another one holds would never be released in the forked
    processes.
    """
    module, _, name = settings.ASGI_APPLICATION.rpartition(".")
    import_module(module)
    connections.close_all()
    gc.freeze()  # a collection in a forked process would write to, and so copy, every page of what is shared
    Granian(
        f"{module}:{name}",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=processes,
        respawn_failed_workers=True,
        backlog=2048,
        backpressure=4096,  # connections of a process, event streams and idle ones among them
        workers_kill_timeout=6,  # open event streams would keep a process that is to stop
        log_level=LogLevels.error,
    ).serve()


def port_fault(host: str, port: int, *, command: str) -> str | None:
    """Say why the port of an IP address cannot be listened on, and how to give `command` another; None if it can.

    The web server itself would share a port with another one, each answering some of the requests.
    """
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"Port {port} is in use by another program; choose another: PORT={port + 1} {command}"
        if error.errno == errno.EADDRNOTAVAIL:
            return f"This machine does not have the address {host}; give one that it has to --host."
        return f"Port {port} cannot be used ({error.strerror}); choose another: PORT=8083 {command}"
    return None
