"""The TLS context of an endpoint, shared by its senders."""

from __future__ import annotations

import ssl
import threading
from typing import Any

import requests.utils
from urllib3.util.ssl_ import create_urllib3_context

from logship.delivery.endpoint import Endpoint


class TlsContext:
    """The context of one endpoint, made at its first use and made anew when TLS failed: its files may have changed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def get(self) -> ssl.SSLContext | None:
        """None where neither the receiver nor the proxy needs one.

        Raises: OSError (ssl.SSLError is one) when a file can't be used.
        """
        if not self._endpoint.url.startswith("https:") and not (self._endpoint.proxy or "").startswith("https:"):
            return None
        with self._lock:
            if self._context is None:
                self._context = self._make()
            return self._context

    def forget(self) -> None:
        with self._lock:
            self._context = None

    def _make(self) -> ssl.SSLContext:
        context = create_urllib3_context()  # requires and checks certificates; nothing here can switch that off
        for name, load in (
            (self._endpoint.ca_file or requests.utils.DEFAULT_CA_BUNDLE_PATH, context.load_verify_locations),
            (self._endpoint.client_cert, self._load_client_cert(context)),
        ):
            if name:
                try:
                    load(name)
                except OSError as exc:
                    raise OSError(f"{name}: {exc.strerror or exc}") from exc
        return context

    def _load_client_cert(self, context: ssl.SSLContext) -> Any:
        # A key with a passphrase would ask on the terminal; a daemon has none.
        return lambda cert: context.load_cert_chain(cert, self._endpoint.client_key, password=lambda: b"")
