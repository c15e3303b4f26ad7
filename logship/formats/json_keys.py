"""The keys that {json: auto} looks for: nginx's variable names first, then other usual ones."""

from __future__ import annotations

AUTO_TIME_KEYS = (
    "msec", "time_iso8601", "time_local", "@timestamp", "timestamp", "time", "ts", "datetime", "date", "time_received",
)  # fmt: skip

AUTO_FIELDS: dict[str, tuple[str, ...]] = {
    "remote_host": ("remote_addr", "remote_host", "client", "client_ip", "remote_ip", "clientip", "ip"),
    "remote_user": ("remote_user", "user"),
    "request_first_line": ("request", "request_first_line"),
    "request_method": ("request_method", "method", "verb"),
    "request_url": ("request_uri", "uri", "url", "path", "request_url"),
    "request_http_ver": ("request_http_ver",),
    "protocol": ("server_protocol", "protocol"),
    "query_string": ("args", "query_string"),
    "status": ("status", "status_code", "response_code", "response_status", "response"),
    "response_bytes_clf": ("body_bytes_sent", "response_bytes_clf", "bytes", "size", "response_size"),
    "bytes_tx": ("bytes_sent", "bytes_tx"),
    "bytes_rx": ("request_length", "bytes_rx"),
    "time_s": ("request_time", "time_s"),
    "host": ("host", "http_host", "vhost"),
    "server_name": ("server_name",),
    "server_port": ("server_port",),
    "local_ip": ("server_addr", "local_ip"),
    "scheme": ("scheme",),
    "request_header_referer": ("http_referer", "referer", "referrer", "request_header_referer"),
    "request_header_user_agent": ("http_user_agent", "user_agent", "agent", "ua", "request_header_user_agent"),
    "request_header_x_forwarded_for": ("http_x_forwarded_for", "x_forwarded_for", "xff"),
    "request_header_host": ("http_host",),
    "request_id": ("request_id", "req_id"),
    "request_body": ("request_body",),
    "upstream_addr": ("upstream_addr",),
    "upstream_status": ("upstream_status",),
    "upstream_response_time": ("upstream_response_time",),
    "ssl_protocol": ("ssl_protocol",),
    "ssl_cipher": ("ssl_cipher",),
}
