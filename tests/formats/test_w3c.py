"""W3C logs: the #Fields line above a line says what its columns are, and nothing else does."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.conversion import detect
from logship.conversion.headed import HeadedLines, headed_lines
from logship.errors import FormatError
from logship.formats import Format, compile_format, read_spec
from logship.formats.directives import Heading, heading_after, heading_at
from tests.formats.presets import parsed, preset, presets

IIS = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) cs-host"
    " sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken"
)
IIS_LINE = (
    "2023-01-02 00:00:01 10.0.0.4 GET /api/x a=1 443 - 203.0.113.9 Mozilla/5.0+(X11;+Linux) - shop.example"
    " 200 0 0 512 90 15"
)


def below(fields: str, line: str, software: str = "") -> str:
    """The headed line."""
    above = f"#Software: {software}\n" if software else ""
    return f"{above}#Fields: {fields}\n{line}"


def own(fields: str) -> Format:
    return compile_format(read_spec({"w3c": fields}), presets())


def test_a_line_of_iis_says_what_its_columns_say() -> None:
    found = parsed(preset("w3c"), below(IIS, IIS_LINE))
    assert found == {
        "end_time": "2023-01-02T00:00:01Z", "local_ip": "10.0.0.4", "request_method": "GET",
        "request_url": "/api/x?a=1", "server_port": "443", "remote_host": "203.0.113.9",
        "request_header_user_agent": "Mozilla/5.0 (X11; Linux)", "host": "shop.example", "status": "200",
        "bytes_tx": "512", "bytes_rx": "90", "time_ms": "15",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "line", "expected"),
    [  # as the servers that are named write them
        (  # Tomcat's ExtendedAccessLogValve
            "c-ip date time cs-method cs-uri-stem cs-uri-query sc-status time-taken cs(User-Agent)",
            '203.0.113.9 2023-01-02 00:00:01 GET /x - 200 0.015 "Mozilla/5.0 (X11; ""q"" Linux)"',
            {"request_url": "/x", "time_s": "0.015", "request_header_user_agent": 'Mozilla/5.0 (X11; "q" Linux)'},
        ),
        (  # CloudFront
            "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(User-Agent)"
            " x-host-header cs-protocol time-taken",
            "2023-01-02\t00:00:01\tFRA56\t1045\t2001:db8::9\tGET\td1.cloudfront.net\t/x%20y\t200\tcurl/8%20(a)"
            "\tcdn.example\thttps\t0.004",
            {"host": "cdn.example", "scheme": "https", "time_s": "0.004", "request_header_user_agent": "curl/8 (a)",
             "request_url": "/x%20y", "request_header_host": "d1.cloudfront.net"},
        ),
        (  # Oracle's web cache: runs of blanks, quotes
            "c-ip  date  time  cs-method  cs-uri  sc-status  bytes  cs(Referrer)  cs(User-Agent)",
            "203.0.113.9    2001-10-31     00:00:18      GET   /a.gif    200   350"
            '   "http://a.example/"   "Mozilla/4.5 [en] (WinNT; I)"',
            {"request_url": "/a.gif", "request_header_referer": "http://a.example/",
             "request_header_user_agent": "Mozilla/4.5 [en] (WinNT; I)"},
        ),
        (  # all columns in quotes
            "date time c-ip cs-method cs-uri sc-status",
            '"2017-06-28" "07:26:35" "192.0.2.239" "GET" "a.example/x" "200"',
            {"end_time": "2017-06-28T07:26:35Z", "remote_host": "192.0.2.239", "status": "200"},
        ),
        (  # a header of one's own, and a bot's blank and plus as IIS writes them
            "date time cs-method cs-uri-stem sc-status sc-substatus c-ip cs(User-Agent) cs(X-Real-IP) X-Forwarded-For",
            "2023-01-02 00:00:01 GET / 404 0 10.0.0.1 bingbot/2.0;++http://www.bing.com/bot.htm)"
            " 203.0.113.9 203.0.113.9",
            {"request_header_user_agent": "bingbot/2.0; +http://www.bing.com/bot.htm)",
             "request_header_x_forwarded_for": "203.0.113.9"},
        ),
    ],
)  # fmt: skip
def test_other_servers_lines_are_read_as_they_write_them(fields: str, line: str, expected: dict[str, str]) -> None:
    found = parsed(preset("w3c"), below(fields, line))
    assert found | expected == found


def test_time_taken_counts_milliseconds_at_iis_and_seconds_elsewhere() -> None:
    fields, line = "date time c-ip cs-method cs-uri-stem sc-status time-taken", "2023-01-02 00:00:01 ::1 GET /x 200 15"
    of_iis = below(fields, line, "Microsoft Internet Information Services 10.0")
    assert parsed(preset("w3c"), of_iis)["time_ms"] == "15"
    assert parsed(preset("w3c"), below(fields, line))["time_s"] == "15"
    assert [one.field for one in preset("w3c").assumes(below(fields, line).encode())] == ["host", "time_s"]
    assert [one.field for one in preset("w3c").assumes(of_iis.encode())] == ["host"]


@pytest.mark.parametrize(
    "line",
    [
        IIS_LINE,  # nothing above it
        below(IIS, IIS_LINE + " x"),
        below(IIS, IIS_LINE.removesuffix(" 15")),
        below(IIS.removeprefix("date "), IIS_LINE.removeprefix("2023-01-02 ")),  # no date
        below(IIS, IIS_LINE.replace("2023-01-02", "2023-02-30")),
        below(IIS, IIS_LINE.replace("203.0.113.9", "/x")),
        below(IIS, IIS_LINE.removesuffix(" 15") + " fast"),
        below("date time c-ip cs(User-Agent) sc-status", '2023-01-02 00:00:01 ::1 "curl 200'),  # a quote left open
        below("", IIS_LINE),
        below("date time " * 300, IIS_LINE),
    ],
)
def test_a_line_that_is_not_what_the_fields_say_does_not_fit(line: str) -> None:
    assert preset("w3c").parse(line.encode()) is None
    misfit = preset("w3c").explain(line.encode())
    assert misfit is not None
    assert 0 <= misfit.at <= len(line.rpartition("\n")[2])


@pytest.mark.parametrize(
    ("software", "fields", "line"),
    [
        ("Microsoft FTP Service", "date time c-ip cs-method cs-uri sc-status", "2026-05-26 10:00:00 ::1 USER - 331"),
        ("x", "date time c-ip s-ip s-port sc-status", "2026-05-26 10:00:00 ::1 ::1 80 200"),
        ("x", "date time c-ip cs-method cs-uri", "2026-05-26 10:00:00 ::1 GET /x"),
        ("Microsoft HTTP API 2.0", "date time c-ip c-port cs-method cs-uri sc-status s-reason",
         "2026-05-26 10:00:00 ::1 55012 - - - Timer_ConnectionIdle"),
    ],
)  # fmt: skip
def test_what_is_no_request_of_http_makes_no_event(software: str, fields: str, line: str) -> None:
    text = below(fields, line, software).encode()
    assert preset("w3c").parse(text) is None
    assert preset("w3c").explain(text) is not None


def test_blanks_of_an_agent_are_plus_signs_where_no_quotes_could_hold_them() -> None:
    fields = "date time c-ip cs-method cs-uri-stem sc-status cs-User-Agent"
    line = "2023-01-02 00:00:01 ::1 GET /x 200 Mozilla/5.0+(Windows;+U)"
    assert parsed(preset("w3c"), below(fields, line))["request_header_user_agent"] == "Mozilla/5.0 (Windows; U)"
    quoted = line.replace("Mozilla/5.0+(Windows;+U)", '"a+b"')
    assert parsed(preset("w3c"), below(fields, quoted))["request_header_user_agent"] == "a+b"


def test_a_client_that_sends_quotes_shifts_no_column_of_iis() -> None:
    line = IIS_LINE.replace("Mozilla/5.0+(X11;+Linux) -", '"a b"'.replace(" ", "+") + ' "c')
    assert parsed(preset("w3c"), below(IIS, line))["request_header_referer"] == '"c'


def test_no_change_of_one_column_shifts_others() -> None:
    columns = IIS_LINE.split(" ")
    names = IIS.split(" ")
    for at, other in combinations(range(len(columns)), 2):
        swapped = list(columns)
        swapped[at], swapped[other] = swapped[other], swapped[at]
        for changed in (swapped, columns[:at] + columns[at + 1 :], [*columns[:at], columns[at], *columns[at:]]):
            values = preset("w3c").parse(below(IIS, " ".join(changed)).encode())
            if values is None:
                continue
            found = {slot.spelled: value for slot, value in zip(preset("w3c").slots, values, strict=True) if value}
            truth = dict(zip(names, changed, strict=True))  # columns are as many as names, or it is no event
            for name in ("c-ip", "cs-method", "sc-status", "cs-host", "s-ip"):
                assert found.get(name, "-") == truth[name]


def test_directives_are_no_lines_and_hold_until_the_next() -> None:
    log = (
        b"\xef\xbb\xbf#Software: IIS\r\n#Fields: date time c-ip\r\n2023-01-02 00:00:01 ::1\r\n"
        b"#Date: 2023-01-02\n#Fields: c-ip date time\n::2 2023-01-02 00:00:02\n\r\n#remark without a colon\n"
    )
    opened = HeadedLines().open(log, 0)
    assert opened.lines == [
        b"#Software: IIS\n#Fields: date time c-ip\n2023-01-02 00:00:01 ::1",
        b"#Software: IIS\n#Fields: c-ip date time\n::2 2023-01-02 00:00:02",
        b"#Software: IIS\n#Fields: c-ip date time\n#remark without a colon",
    ]
    assert [log[start : start + 3] for start in opened.starts[:-1]] == [b"202", b"::2", b"#re"]
    assert opened.end == len(log)


DIRECTIVES = [
    b"#Fields: date time c-ip\n", b"#Fields: c-ip\r\n", b"#Software: x\n", b"#Date: 1\n", b"a b\n", b"\n", b"#\n"
]  # fmt: skip


@given(st.lists(st.sampled_from(DIRECTIVES), max_size=12), st.data())
def test_a_heading_is_the_same_however_the_log_is_read(pieces: list[bytes], data: st.DataObject) -> None:
    log = b"#Version: 1.0\n" + b"".join(pieces)
    borders = [0, *(at + 1 for at, byte in enumerate(log) if byte == 10)]
    position = data.draw(st.sampled_from(borders))
    known = data.draw(st.sampled_from([border for border in borders if border <= position]))
    at_once = heading_at(lambda start, size: log[start : start + size], position)
    above = Heading(known, heading_after(b"", log[:known]))
    assert heading_at(lambda start, size: log[start : start + min(size, 7)], position, above) == at_once
    whole = HeadedLines().open(log, 0)
    later = HeadedLines().open(log[position:], position, at_once)
    count = len(later.lines)
    assert later.lines == whole.lines[len(whole.lines) - count :]
    assert later.starts == whole.starts[len(whole.lines) - count :]


def test_a_log_of_w3c_is_recognised_by_its_directives() -> None:
    samples = [b"#Software: x", f"#Fields: {IIS}".encode(), IIS_LINE.encode(), b"odd"]
    (found, *_) = detect(samples, presets())
    assert (found.name, found.fits, found.of) == ("w3c", 1, 2)
    assert detect([IIS_LINE.encode()], presets()) == []


def test_fields_of_ones_own_read_a_log_that_names_none_and_yield_to_those_that_it_names() -> None:
    fmt = own("date time c-ip cs-method cs-uri-stem sc-status")
    (line,) = headed_lines([b"2023-01-02 00:00:01 203.0.113.9 GET /x 200"])
    assert parsed(fmt, line)["remote_host"] == "203.0.113.9"
    other = below("time date c-ip cs-method sc-status", "00:00:01 2023-01-02 ::1 GET 404")
    assert parsed(fmt, other)["status"] == "404"
    for wrong in ("c-ip cs-method", "date c-ip", "%h %l"):
        with pytest.raises(FormatError, match="date, time"):
            own(wrong)


def test_w3c_stands_alone() -> None:
    with pytest.raises(FormatError, match="can not be one of several"):
        compile_format(read_spec(["w3c", "combined"]), presets())


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_no_line_and_no_directive_raises(fields: bytes, line: bytes) -> None:
    text = (
        b"#Fields: date time c-ip cs-method cs-uri sc-status "
        + fields.replace(b"\n", b"")
        + b"\n"
        + line.replace(b"\n", b" ")
    )
    values = preset("w3c").parse(text)
    assert (values is None) == (preset("w3c").explain(text) is not None)
