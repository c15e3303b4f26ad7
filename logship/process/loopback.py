"""Names of the loopback interface, for servers that answer only this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

LOCALHOST = "localhost"


def is_loopback(host: str) -> bool:
    """Whether nobody on another machine reaches this host: localhost, 127.0.0.0/8, ::1."""
    try:
        return host == LOCALHOST or ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """The name in a Host header, without its port, in lower case; "" for an invalid one."""
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return ""
