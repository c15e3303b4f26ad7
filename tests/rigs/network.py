"""Tests stay on this machine: a connection that would leave it fails as if there were no network."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Any

import pytest

HERE = ("localhost", "ip6-localhost", socket.gethostname())


def is_here(host: object) -> bool:
    """True for loopback and "any" addresses and for this machine's own names."""
    text = host.decode() if isinstance(host, bytes) else host
    if text is None or text == "":
        return True
    if not isinstance(text, str):
        return False
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text in HERE or text.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def stay_on_loopback(patch: pytest.MonkeyPatch) -> None:
    """Makes `connect` and name look-ups of this process fail for everything but this machine."""
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def leaves(sock: socket.socket, address: Any) -> bool:
        return sock.family in (socket.AF_INET, socket.AF_INET6) and not is_here(address[0])

    def connect_here(sock: socket.socket, address: Any) -> None:
        if leaves(sock, address):
            raise OSError(errno.ENETUNREACH, f"tests stay on loopback, not {address[0]}")
        connect(sock, address)

    def connect_ex_here(sock: socket.socket, address: Any) -> int:
        return errno.ENETUNREACH if leaves(sock, address) else connect_ex(sock, address)

    def look_up_here(host: Any, *rest: Any, **options: Any) -> Any:
        if not is_here(host) and not _is_address(host):
            raise socket.gaierror(socket.EAI_NONAME, f"tests look up no names, not {host}")
        return look_up(host, *rest, **options)

    patch.setattr(socket.socket, "connect", connect_here)
    patch.setattr(socket.socket, "connect_ex", connect_ex_here)
    patch.setattr(socket, "getaddrinfo", look_up_here)


def _is_address(host: object) -> bool:
    try:
        ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host).partition("%")[0])
    except ValueError:
        return False
    return True
