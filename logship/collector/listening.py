"""Where connections come in: a socket of our own, or those that systemd has opened for us."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping, Sequence

from logship.errors import LogshipError, UsageError
from logship.process.loopback import is_loopback

BACKLOG = 1_024
FIRST_FD = 3  # SD_LISTEN_FDS_START
LOCAL = "localhost"  # what a Unix socket counts as: nobody from elsewhere reaches it


def inherited(
    environ: MutableMapping[str, str], pid: int | None = None, first_fd: int = FIRST_FD
) -> list[socket.socket]:
    """The listening sockets that the service manager passed to this very process; none where it passed none.

    Takes their variables out of `environ`: a child shall not take the sockets for its own.
    Raises: UsageError for a socket that takes no connections of a stream.
    Source: sd_listen_fds(3).
    """
    meant_for, number = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if meant_for != str(os.getpid() if pid is None else pid) or not number.isdigit():
        return []
    listeners = [socket.socket(fileno=fd) for fd in range(first_fd, first_fd + int(number))]
    for listener in listeners:
        listener.set_inheritable(False)
        is_listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if listener.type != socket.SOCK_STREAM or not is_listening:
            raise UsageError("the socket unit passes a socket that takes no connections; give it ListenStream= alone")
        at_once(listener)
    return listeners


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises: LogshipError when the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        listener.close()
        raise LogshipError(f"can't listen on {host}:{port}: {exc.strerror}; give another --listen") from exc
    listener.listen(BACKLOG)
    return at_once(listener)


def at_once(listener: socket.socket) -> socket.socket:
    """The same, its connections sending what they have.

    An answer in two segments waits for the client's delayed ACK otherwise, 40 ms a POST. asyncio asks for this only
    where a socket names TCP as its protocol; connections have it from their listener.
    """
    if listener.family != socket.AF_UNIX:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def host_of(listeners: Sequence[socket.socket]) -> str:
    """The host they can be reached at; where one is open to other machines, that one's."""
    hosts = [LOCAL if each.family == socket.AF_UNIX else str(each.getsockname()[0]) for each in listeners]
    return next((host for host in hosts if not is_loopback(host)), hosts[0])


def url_of(listener: socket.socket, prefix: str) -> str:
    """Its URL; of a Unix socket `unix:PATH`."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}{prefix}"
