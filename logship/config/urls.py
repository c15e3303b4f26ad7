"""URLs in one spelling, and the proxy that the environment gives for one."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from logship.sections import UnfitError

API_PATHS = ("/moesifapi/events/batch", "/moesifapi/events", "/v1/events/batch", "/v1/events", "/moesifapi", "/v1")


def normalised(url: str, *, may_hold_password: bool = False) -> str:
    """The URL in one spelling: lower-case host, no default port, no slash at the end.

    Raises: UnfitError.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as exc:
        raise UnfitError(f"'{url}' is no URL: {exc}", "write https://host or https://host:port") from exc
    if parts.scheme not in {"http", "https"}:
        hint = "give an https URL, e.g. https://api.moesif.net"
        if may_hold_password:
            hint = "only http proxies work: http://host:port" if "://" in url else f"write http://{url.strip()}"
        raise UnfitError(f"'{url}' is not http(s)", hint)
    if not parts.hostname or any(char.isspace() or not char.isprintable() for char in url.strip()):
        raise UnfitError(f"'{url}' names no host", "write https://host or https://host:port")
    if (parts.username or parts.password) and not may_hold_password:
        raise UnfitError("a user or password in the URL", "the application id goes into application_id")
    if parts.query or parts.fragment:
        raise UnfitError(f"'{url}' has a query", "end it before the ? or #")
    path = parts.path.rstrip("/")
    for api_path in API_PATHS:
        if path.endswith(api_path):
            raise UnfitError(f"'{url}' ends in {api_path}", "remove that: logship adds it (see api:)")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    authority = host if port in {None, default} else f"{host}:{port}"
    if may_hold_password and "@" in parts.netloc:
        authority = f"{parts.netloc.rpartition('@')[0]}@{authority}"
    return f"{parts.scheme}://{authority}{path}"


def environment_proxy(parts: SplitResult, environ: Mapping[str, str]) -> str | None:
    """The proxy that $HTTPS_PROXY, $HTTP_PROXY, $ALL_PROXY and $NO_PROXY give for a URL, None for a direct way."""
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    entries = _variable(environ, "NO_PROXY").replace(",", " ").split()
    if any(_leaves_out(entry.lower(), host, port) for entry in entries):
        return None
    proxy = _variable(environ, f"{parts.scheme}_proxy") or _variable(environ, "ALL_PROXY")
    return proxy or None


def _leaves_out(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY means this host: `*`, a name with its subdomains, an address, a CIDR; each `:port`.

    Names are not looked up for an address, as in curl and Go.
    """
    name, given_port = entry, ""
    if entry.startswith("["):
        name, _, given_port = entry[1:].partition("]")
        given_port = given_port.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, given_port = entry.partition(":")
    if given_port and given_port != str(port):
        return False
    if name == "*":
        return True
    try:
        network = ip_network(name, strict=False)
    except ValueError:
        name = name.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith("." + name))
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address in network


def _variable(environ: Mapping[str, str], name: str) -> str:
    """Lower case goes before upper case, as in curl; HTTP_PROXY in capitals is taken too: this is no CGI script."""
    return environ.get(name.lower()) or environ.get(name.upper()) or ""
