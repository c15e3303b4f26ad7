"""Apache's LogFormat: every directive and modifier works, or is refused with the reason and the column."""

from __future__ import annotations

import subprocess
import sys

import pytest

from logship.errors import FormatError
from logship.fields import Kind
from logship.formats import Moment
from tests.formats.presets import apache, parsed


def fields(text: str) -> list[str]:
    return [slot.field for slot in apache(text).slots]


@pytest.mark.parametrize(
    ("directive", "field"),
    [
        ("%h", "remote_host"),
        ("%a", "remote_ip"),
        ("%{c}a", "peer_ip"),
        ("%A", "local_ip"),
        ("%B", "response_bytes"),
        ("%b", "response_bytes_clf"),
        ("%{Session-Id}C", "cookie_session_id"),
        ("%D", "time_us"),
        ("%{UNIQUE_ID}e", "env_unique_id"),
        ("%f", "filename"),
        ("%H", "protocol"),
        ("%{User-Agent}i", "request_header_user_agent"),
        ("%400,501{User-Agent}i", "request_header_user_agent"),
        ("%!200,304{Referer}i", "request_header_referer"),
        ("%k", "num_keepalives"),
        ("%l", "remote_logname"),
        ("%L", "log_id"),
        ("%m", "method"),
        ("%{X.Y}n", "note_x.y"),
        ("%{Content-Type}o", "response_header_content_type"),
        ("%p", "server_port"),
        ("%{remote}p", "remote_port"),
        ("%{local}p", "server_port_local"),
        ("%P", "pid"),
        ("%{tid}P", "pid_tid"),
        ("%q", "query_string"),
        ("%R", "handler"),
        ("%s", "status"),
        ("%>s", "status"),
        ("%<s", "status"),
        ("%T", "time_s"),
        ("%{ms}T", "time_ms"),
        ("%{us}T", "time_us"),
        ("%{s}T", "time_s"),
        ("%u", "remote_user"),
        ("%>u", "remote_user"),
        ("%U", "url_path"),
        ("%v", "server_name"),
        ("%V", "server_name2"),
        ("%X", "conn_status"),
        ("%I", "bytes_rx"),
        ("%O", "bytes_tx"),
        ("%S", "bytes_total"),
        ("%^FB", "first_byte_us"),
        ("%{X-Sum}^ti", "request_trailer_x_sum"),
        ("%{X-Sum}^to", "response_trailer_x_sum"),
        ("%{SSL_PROTOCOL}x", "extension_ssl_protocol"),
    ],
)
def test_each_directive_is_a_field_of_the_vocabulary(directive: str, field: str) -> None:
    assert fields(f"{directive} end") == [field]


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("%h %Y", 3, "%Y is no directive of httpd"),
        ("%h %i", 3, "needs a name"),
        ("%h %{Referer", 3, "brace of %{ is never closed"),
        ("%h 100% %u", 6, "is no directive"),
        ("%h 100%", 6, "is no directive"),
        ("%h %{seconds}T", 3, "does not know"),
        ("%h %{parent}a", 3, "does not know"),
        ("%h %{%d %b}t", 3, "holds no year"),
        ("%h %{%c}t", 3, "depends on the locale"),
        ("%h %u%b", 3, "are side by side"),
        ("%{Referer}i%{User-Agent}i", 0, "are side by side"),
        ("just text", None, "no fields"),
        ('LogFormat "%h %l', 10, "never closed"),
    ],
)
def test_what_cant_be_supported_is_refused_with_the_column(text: str, column: int | None, reason: str) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        apache(text)
    assert caught.value.column == column
    assert caught.value.text == text


def test_both_statuses_have_names_of_their_own() -> None:
    assert parsed(apache("%s %>s"), "301 200") == {"status_original": "301", "status": "200"}
    assert parsed(apache("%>s %s"), "200 301") == {"status_original": "301", "status": "200"}


def test_of_exact_repeats_the_first_counts() -> None:
    assert parsed(apache("%h %>s %h %>s"), "a 200 b 500") == {"remote_host": "a", "status": "200"}


def test_a_percent_sign_and_backslashes_are_literal() -> None:
    assert parsed(apache(r"100%% %>s\t\\%h"), "100% 200\t\\a") == {"status": "200", "remote_host": "a"}


@pytest.mark.parametrize(
    "text",
    [
        r"%h \"%r\" %>s",
        r'"%h \"%r\" %>s"',
        r'LogFormat "%h \"%r\" %>s" mine',
        r'  logformat   "%h \"%r\" %>s"  mine',
        '%h "%r" %>s',
        '%h "%r" %>s\n',
    ],
)
def test_a_format_may_be_pasted_as_it_stands_in_httpd_conf(text: str) -> None:
    found = parsed(apache(text), '203.0.113.9 "GET /x HTTP/1.1" 200')
    assert found["request_url"] == "/x"
    assert found["status"] == "200"


@pytest.mark.parametrize(
    ("text", "written", "moment", "epoch_ms"),
    [
        ("%t", "[10/Oct/2000:13:55:36 -0700]", Moment.START, 971211336_000),
        ("%{end}t", "[10/Oct/2000:13:55:36 -0700]", Moment.END, 971211336_000),
        ("%{begin:%s}t", "971211336", Moment.START, 971211336_000),
        ("%{end:msec}t", "971211336123", Moment.END, 971211336_123),
        ("%{sec}t", "971211336", Moment.START, 971211336_000),
        ("%{usec}t", "971211336123456", Moment.START, 971211336_123),
        ("%{sec}t.%{usec_frac}t", "971211336.123456", Moment.START, 971211336_123),
        ("%{%FT%T}t.%{msec_frac}t%{%z}t", "2000-10-10T13:55:36.123-0700", Moment.START, 971211336_123),
        ("%{%d/%b/%Y}t %{%T}t", "10/Oct/2000 20:55:36", Moment.START, 971211336_000),
        ("[%{%d/%b/%Y %T}t.%{usec_frac}t %{%z}t]", "[10/Oct/2000 13:55:36.000999 -0700]", Moment.START, 971211336_000),
    ],
)
def test_times_are_read_in_all_their_forms(text: str, written: str, moment: Moment, epoch_ms: int) -> None:
    fmt = apache(f"%h {text} %>s")
    found = parsed(fmt, f"203.0.113.9 {written} 200")
    (slot,) = [slot for slot in fmt.slots if slot.time]
    assert slot.time is not None
    assert slot.moment is moment
    assert slot.time.decoder("UTC")(str(found[slot.field])) == epoch_ms


def test_a_second_finer_time_is_a_field_of_its_own() -> None:
    fmt = apache("%h %t %{msec}t %{%H}t")
    assert [(slot.field, slot.kind) for slot in fmt.slots if slot.field.startswith("time")] == [
        ("time_received", Kind.TIME_CLF),
        ("time_msec", Kind.EPOCH_MS),
        ("time_%H", Kind.TEXT),
    ]


def test_path_and_query_side_by_side_part_at_the_question_mark() -> None:
    fmt = apache('"%m %U%q %H" %>s')
    assert parsed(fmt, '"GET /a?b=c?d HTTP/1.1" 200') == {
        "method": "GET", "url_path": "/a", "query_string": "?b=c?d", "protocol": "HTTP/1.1", "status": "200",
    }  # fmt: skip
    assert parsed(fmt, '"GET /a HTTP/1.1" 200')["url_path"] == "/a"
    assert parsed(fmt, '"GET /a b HTTP/1.1" 200')["url_path"] == "/a b"


def test_a_hand_made_json_format_is_read_by_its_own_shape() -> None:
    fmt = apache(r"{\"t\":\"%{%FT%T%z}t\",\"us\":%D,\"r\":\"%r\",\"ua\":\"%{User-Agent}i\",\"s\":%>s}")
    line = rb'{"t":"2024-06-10T00:00:00+0000","us":41520,"r":"GET /\xe4\xb8\xad\" HTTP/1.1","ua":"-","s":200}'
    found = parsed(fmt, line)
    assert found["request_url"] == '/中"'
    assert found["time_us"] == "41520"


def test_an_empty_user_is_absent() -> None:
    line = '203.0.113.9 - "" [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 401 5'
    assert "remote_user" not in parsed(apache('%h %l %u %t "%r" %>s %b'), line)


def test_compiling_loads_no_table_of_user_agents() -> None:
    code = (
        "import sys; from logship.formats import *; compile_format(FormatSpec('apache', '%h %{User-Agent}i'), {}); "
        "sys.exit('user_agents' in sys.modules or 'ua_parser' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "text",
    [
        'CustomLog logs/ssl_request_log "%h %t \\"%r\\" %>s"',
        'CustomLog "logs/a b.log" "%h %t \\"%r\\" %>s" env=!dontlog',
        'GlobalLog "|/usr/bin/rotatelogs /logs/%Y 86400" "%h %t \\"%r\\" %>s"',
        'LogFormat "%h %t \\\n\\"%r\\" %>s" own',
        'LogFormat "%h \\\r\n%t \\"%r\\" %>s" own\n',
    ],
)
def test_a_whole_line_of_httpd_conf_pastes_as_it_stands(text: str) -> None:
    found = parsed(apache(text), '203.0.113.9 [10/Oct/2000:13:55:36 -0700] "GET /x HTTP/1.1" 200')
    assert (found["remote_host"], found["request_url"], found["status"]) == ("203.0.113.9", "/x", "200")
