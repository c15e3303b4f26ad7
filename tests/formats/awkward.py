"""Formats that people may write and that are hard to read fast: for the tests and for the benchmark."""

from __future__ import annotations

XFF = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{X-Forwarded-For}i" "%{X-Forwarded-Proto}i" "%{Host}i"'
AWKWARD: dict[str, object] = {
    "neighbours": {"apache": '%h %t "%m %U%q %H" %>s %{Referer}i %{User-Agent}i'},
    "unquoted": {"nginx": "$remote_addr:$remote_port $remote_user [$time_local] $request|$http_referer|$http_a"},
    "unescaped": {"nginx": 'escape=none \'$msec $remote_addr "$request" "$http_user_agent" $status\''},
    "json text": {"nginx": 'escape=json \'{"a":"$remote_addr","r":"$request","u":"$http_user_agent","t":"$msec"}\''},
    "lists": {"nginx": "$upstream_addr $upstream_status $http_x_forwarded_for [$time_local] $status"},
    "strftime": {"apache": "%h %{%d/%b/%Y %T}t.%{usec_frac}t %r %>s"},
    "regex": {
        "regex": r'^(?P<remote_host>\S+) .* \[(?P<start_time>[^\]]+)\] "(?P<request_first_line>[^"]*)" (?P<status>.*)'
    },
    "greedy regex": {
        "regex": r'^(?P<remote_host>.*) (?P<user>.*) \[(?P<start_time>.*)\] "(?P<request>.*)" (?P<status>\d+)$'
    },
    "json keys": {"json": {"time_received": "ts", "status": "status", "request_url": "uri", "host": "a.b.c"}},
    "list": ["combined", "nginx_json", "ingress_nginx", "caddy_json"],
    "xff": {"apache": XFF},
    "bodies": {
        "json": {
            "time_received": "ts",
            "request_url": "uri",
            "request_body": "body",
            "request_headers": "h",
            "response_body": "b",
        }
    },
}
