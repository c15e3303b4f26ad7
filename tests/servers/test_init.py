"""`logship init` writes a configuration that loads, from what servers say and what logs hold."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from logship.cli import execute
from logship.config import load_settings
from logship.errors import Exit
from tests.formats.presets import presets

NGINX = """
http {
    log_format timed '$remote_addr [$time_local] "$request" $status $request_time it\\'s';
    log_format bad '$remote_addr$remote_user';
    server { access_log /var/log/nginx/access.log; }
    server { access_log /var/log/nginx/timed.log timed; }
    server { access_log /var/log/nginx/*.more.log timed; }
    server { access_log /var/log/nginx/bad.log bad; }
    access_log syslog:server=127.0.0.1 timed;
}
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    (tmp_path / "etc/nginx").mkdir(parents=True)
    (tmp_path / "etc/nginx/nginx.conf").write_text(NGINX, encoding="utf-8")
    logs = tmp_path / "var/log/nginx"
    logs.mkdir(parents=True)
    (logs / "access.log").write_text(f"{presets()['nginx'].examples[0]}\n" * 3, encoding="utf-8")
    (logs / "timed.log").write_text(f"{presets()['combined'].examples[0]}\n", encoding="utf-8")
    return tmp_path


def sources(text: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = yaml.load(text, yaml.BaseLoader)["sources"]
    return found


def test_each_format_of_a_server_becomes_a_source(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "var/log/nginx/timed.log").unlink()
    assert execute(["init", "--base", str(machine)]) == Exit.FINE
    printed = capsys.readouterr()
    assert sources(printed.out) == [
        {"name": "nginx-access", "paths": ["/var/log/nginx/access.log"], "format": "nginx", "mapping": "default"},
        {
            "name": "nginx-timed",
            "paths": ["/var/log/nginx/timed.log", "/var/log/nginx/*.more.log"],
            "format": {"nginx": '$remote_addr [$time_local] "$request" $status $request_time it\'s'},
            "mapping": "default",
        },
    ]
    assert "3 of the newest 3 lines fit" in printed.out
    assert "NOT USED: $remote_addr and $remote_user are side by side" in printed.out
    assert "/etc/nginx/nginx.conf:9: logs to syslog" in printed.err


def test_a_server_whose_log_says_otherwise_is_left_out_with_what_fits(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["init", "--base", str(machine)]) == Exit.FINE
    printed = capsys.readouterr().out
    assert [source["name"] for source in sources(printed)] == ["nginx-access"]
    assert "NOT USED: none of the newest lines fit" in printed
    assert "would fit too: combined (1)" in printed


def test_a_log_is_told_by_its_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("combined", "caddy_json", "ingress_nginx"):
        (tmp_path / f"{name}_access.log").write_text(f"{presets()[name].examples[0]}\n", encoding="utf-8")
    (tmp_path / "odd.log").write_text("hello\n")
    assert execute(["init", str(tmp_path), str(tmp_path / "odd.log")]) == Exit.FINE
    found = {str(source["name"]): source["format"] for source in sources(capsys.readouterr().out)}
    assert found == {
        "odd": "auto",
        "caddy_json_access": "caddy_json",
        "combined_access": "combined",
        "ingress_nginx_access": "ingress_nginx",
    }


def test_what_is_written_loads(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = machine / "logship.yml"
    assert execute(["init", "--base", str(machine), "-o", str(output)]) == Exit.FINE
    settings = load_settings(output, {"LOGSHIP_APPLICATION_ID": "an-id", "HOME": str(machine)})
    assert [source.name for source in settings.sources] == ["nginx-access"]
    assert f"  logship check -c {output}\n  logship run -c {output}\n" in capsys.readouterr().err


def test_what_is_written_for_the_service_loads_as_it_stands(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("logship.check.permissions.SYSTEM", machine)
    assert execute(["init", "--base", str(machine), "-o", str(machine / "logship.yml")]) == Exit.FINE
    assert capsys.readouterr().err.splitlines()[-3:] == [
        f"  install -m 600 /dev/stdin {machine}/application_id      # paste the application id, then Ctrl-D",
        "  logship check",
        "  systemctl enable logship && systemctl restart logship",
    ]
    (machine / "application_id").write_text("an-id\n")
    settings = load_settings(machine / "logship.yml", {"CREDENTIALS_DIRECTORY": str(machine)})
    assert str(settings.state_dir) == "/var/lib/logship"  # also for commands typed by hand
    assert execute(["init", "--base", str(machine), "-o", str(machine / "shop.yml")]) == Exit.FINE
    assert "systemctl enable logship@shop" in capsys.readouterr().err
    (machine / "shop.application_id").write_text("another-id\n")
    settings = load_settings(machine / "shop.yml", {"CREDENTIALS_DIRECTORY": str(machine)})
    assert str(settings.state_dir) == "/var/lib/logship-shop"
    assert settings.status is not None
    assert settings.status.port != 9640


def test_a_config_that_is_replaced_is_kept(machine: Path) -> None:
    output = machine / "logship.yml"
    output.write_text("mine")
    assert execute(["init", "--base", str(machine), "-o", str(output), "--force"]) == Exit.FINE
    assert output.with_name("logship.yml.old").read_text() == "mine"
    assert "nginx-access" in output.read_text()


NGINX_ONE_LOG = """
http {
    log_format long '$remote_addr [$time_local] "$request" $status $request_time';
    log_format ids '$request_id';
    access_log /var/log/nginx/access.log;
    server { access_log /var/log/nginx/access.log long; access_log /var/log/nginx/ids.log ids; }
}
"""
LONG = '203.0.113.9 [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 0.004\n'


@pytest.mark.parametrize(
    ("lines", "formats"),
    [
        ("", [{"nginx": '$remote_addr [$time_local] "$request" $status $request_time'}, "nginx"]),
        (LONG, {"nginx": '$remote_addr [$time_local] "$request" $status $request_time'}),
        (f"{presets()['nginx'].examples[0]}\n", "nginx"),
    ],
)
def test_a_log_written_in_two_formats_is_one_source(
    lines: str, formats: object, machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server's own directive replaces the one for all servers: what is in the log tells, else both are taken."""
    (machine / "etc/nginx/nginx.conf").write_text(NGINX_ONE_LOG)
    (machine / "var/log/nginx/access.log").write_text(lines)
    assert execute(["init", "--base", str(machine), "-o", str(machine / "logship.yml")]) == Exit.FINE
    text = (machine / "logship.yml").read_text()
    (source,) = sources(text)
    assert source["format"] == formats
    load_settings(machine / "logship.yml", {"LOGSHIP_APPLICATION_ID": "an-id", "HOME": "/"})
    assert "NOT USED: it holds no time" in text
    assert "1 source;" in capsys.readouterr().err


def test_a_file_that_is_there_is_not_written_over(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = machine / "logship.yml"
    output.write_text("mine")
    assert execute(["init", "--base", str(machine), "-o", str(output)]) == Exit.USAGE
    assert output.read_text() == "mine"
    assert "is there already" in capsys.readouterr().err


def test_a_machine_without_logs_says_what_to_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["init", "--base", str(tmp_path)]) == Exit.UNDELIVERED
    assert "logship init PATH" in capsys.readouterr().err


def test_usual_places_are_looked_at_where_no_server_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "var/log/httpd"
    folder.mkdir(parents=True)
    (folder / "access_log").write_text(f"{presets()['common'].examples[0]}\n", encoding="utf-8")
    assert execute(["init", "--base", str(tmp_path)]) == Exit.FINE
    assert sources(capsys.readouterr().out)[0]["format"] == "common"


def test_a_glob_of_one_format_leaves_the_logs_of_others_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        "http { log_format timed '$remote_addr [$time_local] $request $status $request_time';\n"
        "server { access_log /logs/$host.log timed; } server { access_log /logs/plain.log; }\n"
        "server { access_log /logs/other/plain.log; } }\n"
    )
    assert execute(["init", str(conf)]) == Exit.FINE
    timed, plain = sources(capsys.readouterr().out)
    assert (timed["paths"], timed["exclude"]) == (["/logs/*.log"], ["/logs/plain.log"])
    assert "exclude" not in plain


def test_what_holds_no_requests_is_no_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "more.conf").write_text("access_log /logs/more.log timed;")
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        "stream { log_format timed '$remote_addr [$time_local]'; server { access_log /logs/stream.log timed; }\n"
        "include more.conf; }\n"
        "http { log_format timeless '$remote_addr $request'; access_log /dev/stdout; access_log /logs/x.log timeless;\n"
        "server { access_log /logs/access.log; } }\n"
    )
    assert execute(["init", "-o", "-", str(conf)]) == Exit.FINE
    printed = capsys.readouterr()
    assert [source["paths"] for source in sources(printed.out)] == [["/logs/access.log"]]
    assert "NOT USED: it holds no time" in printed.out
    assert "/dev/stdout, not to a file" in printed.err
    assert "/logs/stream.log is a log of connections (stream), not of requests" in printed.err
    assert "/logs/more.log is a log of connections (stream), not of requests" in printed.err
    assert not Path("-").exists()


@pytest.mark.parametrize("is_stream_first", [True, False])
def test_formats_of_connections_are_none_of_http(
    is_stream_first: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = "stream { log_format main '$remote_addr [$time_local]'; server { access_log /logs/stream.log main; } }\n"
    http = (
        "http { log_format main '$remote_addr [$time_local] \"$request\" $status $body_bytes_sent';\n"
        "access_log /logs/access.log main; }\n"
    )
    conf = tmp_path / "nginx.conf"
    conf.write_text(stream + http if is_stream_first else http + stream)
    assert execute(["init", "-o", "-", str(conf)]) == Exit.FINE
    printed = capsys.readouterr()
    assert [source["paths"] for source in sources(printed.out)] == [["/logs/access.log"]]
    assert '"$request" $status' in printed.out
    assert "NOT USED" not in printed.out


def test_pairs_of_proxied_and_direct_requests_trust_the_proxies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "etc/httpd/conf").mkdir(parents=True)
    (tmp_path / "etc/httpd/conf/httpd.conf").write_text(
        'LogFormat "%h %l %u %t \\"%r\\" %>s %b" direct\n'
        'LogFormat "%{X-Forwarded-For}i %l %u %t \\"%r\\" %>s %b" proxied\n'
        'SetEnvIf X-Forwarded-For "." forwarded\n'
        "CustomLog /var/log/httpd/access_log direct env=!forwarded\n"
        "CustomLog /var/log/httpd/access_log proxied env=forwarded\n"
    )
    logs = tmp_path / "var/log/httpd"
    logs.mkdir(parents=True)
    rest = '- - [10/Oct/2026:13:55:36 +0000] "GET /x HTTP/1.1" 200 23'
    (logs / "access_log").write_text(f"203.0.113.9 {rest}\n203.0.113.9, 10.0.0.7 {rest}\n")
    assert execute(["init", "--base", str(tmp_path)]) == Exit.FINE
    (source,) = sources(capsys.readouterr().out)
    assert source["mapping"] == {"extends": "default", "trusted_proxies": ["private"]}
    assert len(source["format"]) == 2  # type: ignore[arg-type]


LINES = [f'203.0.113.{n} - - [10/Oct/2026:13:55:3{n} +0000] "GET /{n} HTTP/1.1" 200 23 "-" "c"\n' for n in range(6)]


def made(tmp_path: Path, conf: str, directives: str, logs: dict[str, str]) -> str:
    """What init writes for a server with these directives and logs."""
    for name, text in ({conf: directives} | logs).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    output = tmp_path / "logship.yml"
    assert execute(["init", "--base", str(tmp_path), "-o", str(output), "--force"]) == Exit.FINE
    return output.read_text(encoding="utf-8")


ERROR = "2026/10/10 13:55:36 [error] 1#1: *1 open() failed\n"


@pytest.mark.parametrize(
    ("servers", "logs", "exclude"),
    [
        ("access_log /l/$host.log; error_log /l/error.log;", {}, ["/l/error.log"]),
        ("access_log /l/$host.log; access_log /l/all.log if=$ok;", {}, ["/l/all.log"]),  # NOT USED, and matched
        ("access_log /l/$host.log; access_log /l/$host.bad.log if=$ok;", {}, ["/l/*.bad.log"]),
        ("access_log /l/$host.log;", {"l/error.log": ERROR, "l/a.log": "".join(LINES)}, ["/l/error.log"]),
        ("access_log /l/$host.log; error_log /elsewhere/error.log; error_log syslog:x;", {}, None),
        ("access_log /l/a.log; error_log /l/error.log;", {"l/error.log": ERROR}, None),
    ],
)
def test_a_glob_reads_no_log_of_other_things(
    servers: str, logs: dict[str, str], exclude: list[str] | None, tmp_path: Path
) -> None:
    text = made(tmp_path, "etc/nginx/nginx.conf", f"http {{ server {{ {servers} }} }}", logs)
    (source,) = sources(text)
    assert source.get("exclude") == exclude


def test_a_format_of_one_virtual_host_is_no_others(tmp_path: Path) -> None:
    text = made(
        tmp_path,
        "etc/apache2/apache2.conf",
        'LogFormat "%h %l %u %t \\"%r\\" %>s %b" shop\n'
        "<VirtualHost *:80>\nCustomLog /l/a.log shop\n</VirtualHost>\n"
        '<VirtualHost *:80>\nCustomLog /l/b.log shop\nLogFormat "%h %l %u %t \\"%r\\" %>s %b %D" shop\n</VirtualHost>\n'
        '<VirtualHost *:80>\nLogFormat "%t \\"%r\\" %>s %D"\nTransferLog /l/t.log\n</VirtualHost>\n'
        "<VirtualHost *:80>\nCustomLog /l/c.log shop\nTransferLog /l/d.log\n</VirtualHost>\n",
        {},
    )
    found = {path: source["format"] for source in sources(text) for path in source["paths"]}  # type: ignore[attr-defined]
    timed = {"apache": '%h %l %u %t "%r" %>s %b %D'}
    assert found == {
        "/l/a.log": "common", "/l/b.log": timed, "/l/t.log": {"apache": '%t "%r" %>s %D'}, "/l/c.log": "common",
    }  # fmt: skip


def test_equal_formats_of_several_names_are_one_source(tmp_path: Path) -> None:
    same = '$remote_addr [$time_local] "$request" $status'
    text = made(
        tmp_path,
        "etc/nginx/nginx.conf",
        f"http {{ # formats; of ours\nlog_format one '{same}'; # comment\nlog_format two '{same}';\n"
        "server { access_log /l/a.log one; access_log /l/a.log two; } server { access_log /l/b.log two; } }",
        {},
    )
    (source,) = sources(text)
    assert (source["paths"], source["format"]) == (["/l/a.log", "/l/b.log"], {"nginx": same})
