"""A request that a server writes to several logs becomes one event: one of them is proposed, the others say why not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from logship.cli import execute
from logship.conversion.envelope import Envelope
from logship.errors import Exit
from logship.servers.served import EVERY_SCOPE, Write, left_out
from tests.formats.presets import presets

TIMED = "log_format timed '$remote_addr [$time_local] \"$request\" $status $host $request_time';"


def active(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, name: str = "nginx.conf"
) -> tuple[list[str], str]:
    (tmp_path / name).write_text(text)
    assert execute(["init", str(tmp_path / name)]) == Exit.FINE
    printed = capsys.readouterr().out
    sources = yaml.load(printed, yaml.BaseLoader)["sources"]
    return [path for source in sources for path in source["paths"]], printed


def test_of_two_logs_of_one_server_the_one_that_says_more_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read, printed = active(
        tmp_path, capsys,
        f"http {{ {TIMED} access_log /logs/plain.log; access_log /logs/timed.log timed;\n"
        "access_log /logs/errors.log combined if=$bad; server { listen 80; } }",
    )  # fmt: skip
    assert read == ["/logs/timed.log"]
    assert printed.count("NOT USED: the same requests are in /logs/timed.log") == 2


def test_logs_of_different_servers_are_all_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "http { server { access_log /logs/a.log; } server { access_log /logs/b.log; access_log /logs/all.log; }\n"
    read, _ = active(tmp_path, capsys, text + "server { access_log /logs/all.log; } }")
    assert read == ["/logs/a.log", "/logs/all.log"]


def test_two_halves_of_the_requests_are_both_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = 'CustomLog /logs/direct.log "%h %t \\"%r\\" %>s" env=!proxied\n'
    text += 'CustomLog /logs/proxied.log "%{X-Forwarded-For}i %t \\"%r\\" %>s" env=proxied\n'
    read, _ = active(tmp_path, capsys, text, "httpd.conf")
    assert read == ["/logs/direct.log", "/logs/proxied.log"]


def test_a_log_of_every_virtual_host_is_the_same_requests_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host = '<VirtualHost *:80>\nCustomLog /logs/{}.log "%h %t \\"%r\\" %>s"\n</VirtualHost>\n'
    text = host.format("a") + host.format("b") + 'GlobalLog /logs/all.log "%h %t \\"%r\\" %>s"\n'
    read, _ = active(tmp_path, capsys, text, "httpd.conf")
    assert read in (["/logs/a.log", "/logs/b.log"], ["/logs/all.log"])


def test_a_macro_is_what_it_is_used_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '<Macro VHost $name $port>\n<VirtualHost *:$port>\nCustomLog /logs/$name.log "%h %t \\"%r\\" %>s"\n'
    text += "Use VHost again 1\n</VirtualHost>\n</Macro>\nUse VHost a.example 80\nUse vhost b.example 81\n"
    read, _ = active(tmp_path, capsys, text, "httpd.conf")
    assert read == ["/logs/a.example.log", "/logs/b.example.log"]


@pytest.mark.parametrize(("path", "default"), [("usr/local/nginx", True), ("etc/nginx", False)])
def test_a_build_from_source_logs_below_its_prefix(
    path: str, default: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / path / ("conf" if default else "")
    folder.mkdir(parents=True)
    for text, log in (("access_log logs/own.log;", "own.log"), ("", "access.log")):
        (folder / "nginx.conf").write_text(f"http {{ {text} server {{ listen 80; }} }}")
        execute(["init", "--base", str(tmp_path)])
        printed = capsys.readouterr().out
        assert (f"'/{path}/logs/{log}'" in printed) == default


def test_what_is_chosen_once_is_chosen_everywhere() -> None:
    writes = [Write("1", "/a"), Write("1", "/b"), Write("2", "/b"), Write("2", "/c"), Write("3", "/c")]
    assert left_out(writes, lambda path: (path == "/b",)) == {"/b": "/a"}
    assert left_out([*writes[:2], Write(EVERY_SCOPE, "/b")], lambda path: (path == "/b",)) == {"/a": "/b"}


@pytest.mark.parametrize(
    ("kind", "wrapped"),
    [
        ("cri", "2026-10-10T11:55:36.000000001Z stdout F {}"),
        ("syslog", "<134>Jan 26 19:23:16 web-1 nginx[7]: {}"),
        ("syslog", "Oct  1 13:55:36 web-1 nginx: {}"),
        ("syslog", "<165>1 2026-10-10T22:14:15.003Z web-1 nginx 7 ID47 - {}"),
        ("docker", '{{"log":"{}\\n","stream":"stdout","time":"2026-10-10T11:55:36.1Z"}}'),
    ],
)
def test_a_wrapped_log_is_proposed_with_its_envelope(
    kind: str, wrapped: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = presets()["combined"].examples[0]
    inner = line.replace('"', '\\"') if kind == "docker" else line
    (tmp_path / "x_access.log").write_text(f"{wrapped.format(inner)}\n" * 3)
    assert execute(["init", str(tmp_path)]) == Exit.FINE
    (source,) = yaml.load(capsys.readouterr().out, yaml.BaseLoader)["sources"]
    assert (source["envelope"], source["format"]) == (kind, "combined")
    assert execute(["preview", str(tmp_path / "x_access.log")]) == Exit.USAGE
    assert f"envelope: {kind} and format: combined" in capsys.readouterr().err
    assert Envelope(source["envelope"]).open(f"{wrapped.format(inner)}\n".encode(), 0).lines == [line.encode()]


def test_times_without_a_zone_are_proposed_in_the_servers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "etc/apache2").mkdir(parents=True)
    (tmp_path / "etc/timezone").write_text("Asia/Kolkata\n")
    conf = tmp_path / "etc/apache2/apache2.conf"
    for time, zone in (("%{%F %T}t", "Asia/Kolkata"), ("%t", None)):
        conf.write_text(f'CustomLog /logs/a.log "%h {time} \\"%r\\" %>s"\n')
        assert execute(["init", "--base", str(tmp_path)]) == Exit.FINE
        (source,) = yaml.load(capsys.readouterr().out, yaml.BaseLoader)["sources"]
        assert source.get("timezone") == zone
