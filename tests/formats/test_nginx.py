"""nginx's log_format pastes as it stands in nginx.conf."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from logship.errors import FormatError
from logship.formats import Moment
from tests.formats.presets import nginx, parsed

CORPUS = Path(__file__).parents[1] / "corpora"
LINE = '203.0.113.9 - joe [10/Oct/2000:13:55:36 -0700] "GET /x HTTP/1.1" 200'
FIELDS = {"remote_host": "203.0.113.9", "remote_user": "joe", "request_url": "/x", "status": "200"}


@pytest.mark.parametrize(
    "text",
    [
        '$remote_addr - $remote_user [$time_local] "$request" $status',
        '${remote_addr} - ${remote_user} [${time_local}] "${request}" ${status}',
        r"$remote_addr - $remote_user [$time_local] \"$request\" $status",
        """'$remote_addr - $remote_user [$time_local] "$request" $status'""",
        """'$remote_addr - $remote_user [$time_local] '
           '"$request" $status'""",
        """log_format main '$remote_addr - $remote_user [$time_local] '
                           '"$request" $status';""",
        r"""log_format main "$remote_addr - $remote_user [$time_local] " "\"$request\" $status";""",
        r"""log_format main escape=default "$remote_addr - $remote_user [$time_local] \"$request\" "$status;""",
        '$remote_addr - $remote_user [$time_local] "$request" $status\n',
    ],
)
def test_a_format_may_be_pasted_as_it_stands_in_nginx_conf(text: str) -> None:
    assert FIELDS.items() <= parsed(nginx(text), LINE).items()


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("$remote_addr $", 13, "without a variable's name"),
        ("$remote_addr ${status", 13, "never closed"),
        ("log_format main '$remote_addr", 16, "never closed"),
        ("log_format main escape=jsn '$remote_addr';", 23, "no way to escape"),
        ("$remote_addr$remote_user", 0, "are side by side"),
        ("$status $request_uri$host", 8, "are side by side"),
        ("nothing", None, "no fields"),
    ],
)
def test_what_cant_be_supported_is_refused_with_the_column(text: str, column: int | None, reason: str) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        nginx(text)
    assert caught.value.column == column


def test_an_unknown_variable_keeps_its_own_name() -> None:
    assert parsed(nginx("$status $geoip2_data_country_code"), "200 NP")["geoip2_data_country_code"] == "NP"


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("http_user_agent", "request_header_user_agent"),
        ("sent_http_x_cache", "response_header_x_cache"),
        ("body_bytes_sent", "response_bytes_clf"),
        ("cookie_sid", "cookie_sid"),
        ("request_uri", "request_url"),
        ("server_addr", "local_ip"),
        ("request_time", "time_s"),
    ],
)
def test_variables_are_aliases_of_the_vocabulary(variable: str, field: str) -> None:
    assert nginx(f"${variable} end").slots[0].field == field


def test_nginx_times_are_the_end_of_the_request() -> None:
    moments = {slot.field: slot.moment for slot in nginx("[$time_local] $time_iso8601 $msec").slots}
    assert moments == dict.fromkeys(["time_received", "time_iso8601", "msec"], Moment.END)


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("[$host$request_uri]", "[shop.example:8080/x?y=/z]", {"host": "shop.example:8080", "request_url": "/x?y=/z"}),
        ('"$scheme://$host$uri$is_args$args" $status', '"https://a.b/c?d=?e" 200',
         {"scheme": "https", "host": "a.b", "url_path": "/c", "is_args": "?", "query_string": "d=?e", "status": "200"}),
        ('"$scheme://$host$uri$is_args$args" $status', '"https://a.b/c" 200',
         {"scheme": "https", "host": "a.b", "url_path": "/c", "status": "200"}),
        ("$remote_addr:$remote_port $status", "2001:db8::1:54321 200",
         {"remote_host": "2001:db8::1", "remote_port": "54321", "status": "200"}),
        ("$upstream_addr $upstream_status $request_time", "10.0.0.1:80, unix:/tmp/x : 10.0.0.2:80 502, - : 200 0.004",
         {"upstream_addr": "10.0.0.1:80, unix:/tmp/x : 10.0.0.2:80", "upstream_status": "502, - : 200",
          "time_s": "0.004"}),
        ("$http_x_forwarded_for $remote_addr $status", "203.0.113.9, 10.0.0.1 10.0.0.2 200",
         {"request_header_x_forwarded_for": "203.0.113.9, 10.0.0.1", "remote_host": "10.0.0.2", "status": "200"}),
        ("$status $my_a\t$my_b", "200 a b\tc d", {"status": "200", "my_a": "a b", "my_b": "c d"}),
        ('$status "$my_a" "$my_b"', '200 "" "-"', {"status": "200"}),
        ("$status [$my_a] [$my_b]", "200 [] [x]", {"status": "200", "my_b": "x"}),
    ],
)  # fmt: skip
def test_neighbours_lists_and_empty_values_part_where_they_must(text: str, line: str, expected: dict[str, str]) -> None:
    assert parsed(nginx(text), line) == expected


def test_without_escaping_a_value_may_hold_quotes() -> None:
    fmt = nginx("""log_format raw escape=none '$remote_addr "$request" $status "$http_user_agent" $request_id'""")
    found = parsed(fmt, r'203.0.113.9 "GET /\x22 HTTP/1.1" 200 "a "quoted" agent" 752178adb17130b291aefd8c386279e7')
    assert found["request_header_user_agent"] == 'a "quoted" agent'
    assert found["request_url"] == r"/\x22"


def test_json_escaped_logs_may_hold_missing_numbers() -> None:
    fmt = nginx("escape=json '" + '{"t":"$msec","s":$status,"u":$upstream_response_time,"ua":"$http_user_agent"}' + "'")
    line = '{"t":"1717977600.123","s":200,"u":,"ua":"a\\"\\u001Bü"}'
    found = parsed(fmt, line)
    assert found["request_header_user_agent"] == 'a"\x1bü'
    assert "upstream_response_time" not in found


def gonx_cases() -> list[dict[str, object]]:
    return [json.loads(line) for line in (CORPUS / "gonx" / "log_format.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("case", [case for case in gonx_cases() if "line" in case], ids=lambda case: str(case["line"]))
def test_gonxs_lines_come_out_as_it_says(case: dict[str, object]) -> None:
    fmt = nginx(str(case["log_format"]))
    line = str(case["line"]).encode()
    if case["expect"] is None:
        assert fmt.parse(line) is None
        assert fmt.explain(line) is not None
        return
    expected = case["expect"]
    assert isinstance(expected, dict)
    found = parsed(fmt, line)
    names = {"remote_addr": "remote_host", "time_local": "time_received", "request": "request_first_line"}
    assert {names.get(name, name): value for name, value in expected.items() if value}.items() <= found.items()


def test_gonxs_neighbours_are_split() -> None:
    found = parsed(
        nginx('$remote_addr [$time_local] "$host$request_uri" $status'),
        '1.2.3.4 [08/Nov/2013:13:39:18 +0000] "a.b/c" 200',
    )
    assert (found["host"], found["request_url"]) == ("a.b", "/c")


def test_every_line_of_gonxs_example_fits() -> None:
    fmt = nginx('$remote_addr [$time_local] "$request" $status $request_length $bytes_sent $request_time "$size" $q $w')
    lines = (CORPUS / "gonx" / "access.log").read_bytes().splitlines()
    assert [fmt.explain(line) for line in lines if fmt.parse(line) is None] == []
    assert parsed(fmt, lines[0])["time_s"] == "0.138"


@pytest.mark.parametrize("before", ["# ours\n", "\n  # a comment's quote;\n\n# $status\n  "])
def test_comments_before_a_log_format_are_nginx_confs(before: str) -> None:
    assert parsed(nginx(f"{before}log_format own '$remote_addr $status';"), "203.0.113.9 200")["status"] == "200"
    assert nginx("#$remote_addr $status").parse(b"#203.0.113.9 200") is not None


def test_comments_between_the_pieces_are_nginx_confs() -> None:
    text = 'log_format own escape=json \'{"t":"$time_iso8601",\' # a comment\'s quote\n  \'"s":"$status#"}\' ; # end'
    found = parsed(nginx(text), '{"t":"2000-10-10T13:55:36+00:00","s":"200#"}')
    assert found == {"time_iso8601": "2000-10-10T13:55:36+00:00", "status": "200"}


def test_an_access_log_line_is_told_what_to_paste() -> None:
    with pytest.raises(FormatError) as told:
        nginx("access_log /var/log/nginx/access.log main;")
    assert "log_format" in told.value.hint


def test_a_blank_between_columns_without_quotes_is_no_guess() -> None:
    fmt = nginx("$remote_addr [$time_local] $status $http_referer $request_body $request_time")
    line = "203.0.113.9 [10/Oct/2000:13:55:36 -0700] 200 {} {} 0.004"
    assert parsed(fmt, line.format("-", "a b"))["request_body"] == "a b"
    assert parsed(fmt, line.format("https://a.example/a b", "-"))["request_header_referer"] == "https://a.example/a b"
    assert fmt.parse(line.format("https://a.example/a", "b c").encode()) is None
