"""HTTP: one request, one answer or the reason why there is none. The only place that knows requests and urllib3.

requests makes the URL, the proxies and the pool; urllib3's pool makes connections, tunnels, TLS and verification. Only
the exchange of bytes on a connection is ours: head and body leave in one system call, and answers are read strictly
and without the mail parser, which costs twice as much as all the rest. Measured on loopback with 250 kB bodies, CPU per
POST: Session.send 700 us, adapter.send 460, the pool's urlopen 370, the same with these connections 90, of which the
kernel takes 40.
"""

from __future__ import annotations

from logship.delivery.http import lean  # noqa: F401 -- first: how requests is imported
from logship.delivery.http.connection import TlsContext
from logship.delivery.http.page import PageTransport, plain
from logship.delivery.http.transport import HttpTransport

__all__ = ["HttpTransport", "PageTransport", "TlsContext", "plain"]
