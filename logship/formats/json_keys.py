"""The keys that {json: auto} looks for: nginx's variable names first, then other usual ones.

What stands first is believed first: the finest time, the least ambiguous name. `host` comes last: it may be the
client's address (LTSV's convention) or the server's.
"""

from __future__ import annotations

AUTO_TIME_KEYS = (
    "msec", "time_unix", "time_iso8601", "time_local", "@timestamp", "timestamp", "time", "ts", "asctime", "datetime",
    "date", "requestTime", "time_received",
)  # fmt: skip

AUTO_LINES = (
    "message",
    "short_message",
    "request",
    "request_first_line",
    "request_line",
    "req",
)  # a whole request line

AUTO_FIELDS: dict[str, tuple[str, ...]] = {
    "remote_host": ("remote_addr", "remote_host", "client", "client_ip", "remote_ip", "clientip", "clientIp",
                    "remoteIP", "remoteip", "remoteIp", "client_addr", "client_address", "realip", "real_ip",
                    "source_ip", "src_ip", "_source_ip", "ip", "host", "remote_addr"),
    "remote_user": ("remote_user", "user", "username"),
    "request_first_line": AUTO_LINES[2:],
    "request_method": ("request_method", "method", "verb", "httpMethod", "http_method", "_http_method"),
    "request_url": ("request_uri", "uri", "url", "path", "request_url", "request_path", "requestPath", "requestUri",
                    "http_path", "http_url"),
    "request_http_ver": ("request_http_ver",),
    "protocol": ("server_protocol", "protocol"),
    "query_string": ("args", "query_string", "query", "request_query", "querystring", "uri_query"),
    "status": ("status", "status_code", "statusCode", "response_code", "response_status", "http_status", "_http_status",
               "response"),
    "response_bytes_clf": ("body_bytes_sent", "response_bytes_clf", "body_bytes", "bytes", "size", "response_size",
                           "response_length", "responseLength"),
    "bytes_tx": ("bytes_sent", "bytes_tx"),
    "bytes_rx": ("request_length", "bytes_rx"),
    "time_us": ("time_us", "duration_us", "duration_usec", "reqtime_microsec", "request_time_us",
                "_duration_usec"),
    "time_ms": ("time_ms", "duration_ms", "durationMs", "request_time_ms", "response_time_ms", "elapsed_ms"),
    "time_s": ("request_time", "time_s", "latency", "responsetime", "response_time", "req_time", "reqtime"),
    "host": ("http_host", "vhost", "domain", "virtual_host", "authority", "host"),
    "server_name": ("server_name",),
    "server_port": ("server_port",),
    "local_ip": ("server_addr", "local_ip"),
    "scheme": ("scheme",),
    "request_header_referer": ("http_referer", "referer", "referrer", "http_referrer", "_http_referer",
                               "request_header_referer"),
    "request_header_user_agent": ("http_user_agent", "user_agent", "user-agent", "userAgent", "useragent",
                                  "http_useragent", "_user_agent", "agent", "ua", "request_header_user_agent"),
    "request_header_x_forwarded_for": ("http_x_forwarded_for", "x_forwarded_for", "x-forwarded-for", "xff",
                                       "forwardedfor", "forwarded_for"),
    "request_header_host": ("http_host",),
    "request_id": ("request_id", "req_id"),
    "request_body": ("request_body",),
    "upstream_addr": ("upstream_addr",),
    "upstream_status": ("upstream_status",),
    "upstream_response_time": ("upstream_response_time",),
    "ssl_protocol": ("ssl_protocol",),
    "ssl_cipher": ("ssl_cipher",),
}  # fmt: skip

# Keys that mean the field with some values only, where they stand first: of a duration without a unit the fraction
# tells that it is seconds; an address with a port is a connection's: a key for the address alone is believed before.
AUTO_ONLY_IF = {
    ("remote_host", "remote_addr"): "bare address",
    ("remote_host", "host"): "address",
    **{("host", key): "host" for key in AUTO_FIELDS["host"]},
    ("host", "host"): "name",
    **{("remote_user", key): "no flag" for key in AUTO_FIELDS["remote_user"]},
    **{("time_s", key): "fraction" for key in AUTO_FIELDS["time_s"] if key != "time_s"},
}
UNITLESS = (*AUTO_FIELDS["time_s"][2:], "duration", "elapsed")  # seconds to some, milliseconds to others
