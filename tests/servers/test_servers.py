"""nginx.conf and httpd.conf say which logs are written, and in which format, includes and variables followed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from logship.formats import compile_format, read_spec
from logship.servers import Served, read_conf_file, served_logs

CORPUS = Path(__file__).parents[1] / "corpora"
NGINX = r"""
user www-data;  # access_log /no/comment;
http {
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status "$http_user_agent"';
    log_format js escape=json '{"t":"$time_iso8601","it\'s":"$status"}';
    log_format tabs "$remote_addr\t$status";
    access_log /var/log/nginx/access.log main buffer=64k flush=1s;
    include sites/*.conf;
    map $uri $x { default 1; "~^/a{2}" 2; }
    access_log syslog:server=127.0.0.1 main;
    access_log logs/relative.log;
}
"""
SITE = """
server { listen 80; server_name "a b";
    access_log /var/log/nginx/${host}.access.log js; access_log /var/log/nginx/tabs.log tabs if=$x;
    location / { access_log off; } location /x { access_log /var/log/nginx/plain.log; }
    access_log /var/log/nginx/broken.log nope;
}
"""
HTTPD = r"""
ServerRoot "/etc/httpd"
Define LOGS /var/log/httpd
LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \
\"%{User-Agent}i\"" combined
# CustomLog /no/comment combined
<IfModule log_config_module>
  LogFormat "%v %h %t \"%r\" %>s" vhost
  CustomLog "${LOGS}/access_log" combined env=!dontlog
</IfModule>
IncludeOptional conf.d/*.conf
CustomLog "logs/direct_log" "%h %t \"%r\" %>s"
TransferLog ${LOGS}/transfer_log
CustomLog "|/usr/bin/rotatelogs -l /var/log/httpd/json.log.%Y%m%d-%H%M%S 1M" vhost
CustomLog "|/usr/bin/rotatelogs -n 3 /var/log/httpd/plain 86400" vhost
CustomLog "|/usr/bin/logger -t httpd" combined
CustomLog ${UNSET}/x combined
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    for name, text in {
        "etc/nginx/nginx.conf": NGINX,
        "etc/nginx/sites/a.conf": SITE,
        "etc/httpd/conf/httpd.conf": HTTPD,
        "etc/httpd/conf.d/vhost.conf": '<VirtualHost *:80>\nCustomLog "${LOGS}/vhost_log" vhost\n</VirtualHost>\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def summary(served: Served, kind: str) -> list[tuple[str, str, str]]:
    return [(log.path, log.name, log.text) for log in served.logs if log.kind == kind]


def test_nginx_logs_are_found_through_includes_and_variables(machine: Path) -> None:
    main = '$remote_addr - $remote_user [$time_local] "$request" $status "$http_user_agent"'
    combined = (
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
        '"$http_user_agent"'
    )
    assert summary(served_logs(machine), "nginx") == [
        ("/var/log/nginx/access.log", "main", main),
        ("/var/log/nginx/*.access.log", "js", r"""escape=json '{"t":"$time_iso8601","it\'s":"$status"}'"""),
        ("/var/log/nginx/tabs.log", "tabs", "$remote_addr\t$status"),
        ("/var/log/nginx/plain.log", "combined", combined),
    ]


def test_apache_logs_are_found_through_includes_defines_and_pipes(machine: Path) -> None:
    combined = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'
    vhost = '%v %h %t "%r" %>s'
    assert summary(served_logs(machine), "apache") == [
        ("/var/log/httpd/access_log", "combined", combined),
        ("/var/log/httpd/vhost_log", "vhost", vhost),
        ("/etc/httpd/logs/direct_log", "", '%h %t "%r" %>s'),
        ("/var/log/httpd/transfer_log", "", '%h %l %u %t "%r" %>s %b'),
        ("/var/log/httpd/json.log.*-*", "vhost", vhost),
        ("/var/log/httpd/plain.*", "vhost", vhost),
    ]


def test_what_cant_be_followed_is_told_with_its_place(machine: Path) -> None:
    told = {passed.place: passed.reason for passed in served_logs(machine).passed}
    assert told == {
        "/etc/nginx/nginx.conf:11": "logs to syslog:server=127.0.0.1, not to a file",
        "/etc/nginx/nginx.conf:12": "logs/relative.log is relative to nginx's prefix, "
        "which its configuration doesn't say",
        "/etc/nginx/sites/a.conf:5": "no log_format nope",
        "/etc/httpd/conf/httpd.conf:16": "logs to |/usr/bin/logger -t httpd, not to a file",
        "/etc/httpd/conf/httpd.conf:17": "${UNSET} is not defined in the configuration",
    }


def test_every_format_that_is_found_compiles(machine: Path) -> None:
    for log in served_logs(machine).logs:
        assert compile_format(read_spec({log.kind: log.text}), {}).slots


def test_the_line_of_a_directive_is_where_it_begins(machine: Path) -> None:
    places = [log.place for log in served_logs(machine).logs]
    assert places[0] == "/etc/nginx/nginx.conf:8"
    assert "/etc/httpd/conf.d/vhost.conf:2" in places


def test_debians_envvars_fill_in_the_log_directory(tmp_path: Path) -> None:
    folder = tmp_path / "etc" / "apache2"
    folder.mkdir(parents=True)
    (folder / "envvars").write_text("SUFFIX=\nexport APACHE_LOG_DIR=/var/log/apache2$SUFFIX\n")
    (folder / "apache2.conf").write_text('CustomLog ${APACHE_LOG_DIR}/access.log "%h %t"\n')
    assert [log.path for log in served_logs(tmp_path).logs] == ["/var/log/apache2/access.log"]


def test_a_circle_of_includes_ends(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text("include nginx.conf; access_log /a.log;")
    (tmp_path / "httpd.conf").write_text(f"Include {tmp_path}/httpd.conf\n")
    for name in ("nginx.conf", "httpd.conf"):
        assert "circle" in read_conf_file(tmp_path / name).passed[0].reason


def test_a_machine_without_servers_has_no_logs(tmp_path: Path) -> None:
    assert served_logs(tmp_path) == Served((), ())


def test_a_file_that_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        read_conf_file(tmp_path / "nginx.conf")


def test_gonxs_nginx_conf_gives_its_format(tmp_path: Path) -> None:
    (case,) = [
        case
        for case in map(json.loads, (CORPUS / "gonx" / "log_format.jsonl").read_text().splitlines())
        if "nginx_conf" in case
    ]
    conf = case["nginx_conf"].replace("}\n", f"access_log /a.log {case['name']};\n}}\n")
    (tmp_path / "nginx.conf").write_text(conf)
    assert read_conf_file(tmp_path / "nginx.conf").logs[0].text == case["expect_log_format"]


@pytest.mark.parametrize(
    "text", ["{", "}}", "'open", "access_log", "a { b", "\\", '"', "${", "include", "include ;", "log_format x;"]
)
def test_a_broken_file_is_read_as_far_as_it_goes(tmp_path: Path, text: str) -> None:
    for name in ("nginx.conf", "httpd.conf"):
        (tmp_path / name).write_text(f"{text}")
        assert read_conf_file(tmp_path / name).logs == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("http {\n log_format a '$remote_addr\n $status;\n access_log /a.log a;\n}\n", 2),
        ('http {\n log_format a \'$remote_addr\';\n log_format b "$status;\n access_log "/a.log" b;\n}\n', 3),
    ],
)
def test_a_quote_that_nginx_does_not_find_closed_is_named(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "nginx.conf").write_text(text)
    passed = read_conf_file(tmp_path / "nginx.conf", tmp_path).passed
    assert (passed[0].place, "not closed" in passed[0].reason) == (f"/nginx.conf:{line}", True)


def test_a_quote_that_httpd_does_not_find_closed_is_named(tmp_path: Path) -> None:
    (tmp_path / "httpd.conf").write_text('ServerRoot /x\nLogFormat "%h %t combined\nCustomLog /a.log "%h %t"\n')
    (passed,) = read_conf_file(tmp_path / "httpd.conf", tmp_path).passed
    assert (passed.place, "not closed" in passed.reason) == ("/httpd.conf:2", True)
