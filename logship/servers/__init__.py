"""The web servers of this machine: where their access logs are, and in which format they are written."""

from __future__ import annotations

from pathlib import Path

from logship.servers.httpd_conf import read_httpd
from logship.servers.nginx_conf import read_nginx
from logship.servers.served import Passed, Served, ServedLog, Write

__all__ = ["Passed", "Served", "ServedLog", "Write", "read_conf_file", "served_logs"]

NGINX_CONFS = (
    "etc/nginx/nginx.conf",
    "usr/local/nginx/conf/nginx.conf",
    "usr/local/etc/nginx/nginx.conf",
    "opt/nginx/conf/nginx.conf",
    "usr/local/openresty/nginx/conf/nginx.conf",
)
HTTPD_CONFS = (
    "etc/apache2/apache2.conf",
    "etc/apache2/httpd.conf",
    "etc/httpd/conf/httpd.conf",
    "usr/local/apache2/conf/httpd.conf",
    "usr/local/etc/apache24/httpd.conf",
)


def served_logs(base: Path = Path("/")) -> Served:
    """The logs of every server configuration in the usual places below `base`.

    A configuration that is not there is nothing; one that can't be read is in `passed`.
    """
    found = [_look(base / conf, base) for conf in (*NGINX_CONFS, *HTTPD_CONFS) if (base / conf).exists()]
    return Served.joined(found)


def read_conf_file(path: Path, base: Path = Path("/")) -> Served:
    """The logs of one server configuration, nginx's or Apache's by its look.

    Raises: OSError.
    """
    path = path.absolute()
    text = path.read_bytes()[: 1 << 20]
    is_nginx = b"access_log" in text or b"log_format" in text or b"http {" in text or path.name.startswith("nginx")
    return read_nginx(path, base) if is_nginx else read_httpd(path, base)


def _look(path: Path, base: Path) -> Served:
    read = read_nginx if str(path.relative_to(base)) in NGINX_CONFS else read_httpd
    try:
        return read(path, base)
    except OSError as exc:
        return Served((), (Passed(f"/{path.relative_to(base)}", exc.strerror or "can't be read"),))
