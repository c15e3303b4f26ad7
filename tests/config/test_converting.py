"""A source's converter: constants of paths, detection, container logs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.config import Settings, load_settings
from logship.conversion.detection import MAX_SAMPLE_BYTES
from logship.event import LogFile, transaction_id

COMBINED = b'203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /x HTTP/1.1" 200 17 "-" "curl/8"\n'
COMMON = b'203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /y HTTP/1.1" 200 17\n'


def settings_of(tmp_path: Path, source: str) -> Settings:
    (tmp_path / "logship.yml").write_text(
        "endpoint: {url: 'http://127.0.0.1:9', application_id: an-id}\norigin: web-1\n"
        f"sources:\n  - {{name: api, paths: [logs/*.log], {source}}}\n"
    )
    return load_settings(tmp_path / "logship.yml", {})


def log(path: str, number: int = 1) -> LogFile:
    return LogFile(number, path, "api", 7, "web-1")


def events(settings: Settings, data: bytes, file: LogFile, start: int = 0) -> list[Any]:
    conversion = settings.compile_source(settings.sources[0]).convert(data, start, file)
    return [orjson.loads(event) for event in conversion.events]


def test_fields_of_the_path_go_into_the_events_of_that_path(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, r"path_fields: '/(?P<host>[^/]+)\.log$'")
    for host in ("a.example.com", "b.example.com"):
        (event,) = events(settings, COMBINED, log(f"/logs/{host}.log"))
        assert event["request"]["uri"] == f"https://{host}/x"


def test_a_path_that_gives_no_fields_takes_those_of_the_source(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, r"path_fields: '/vhost-(?P<host>[^/]+)\.log$', fields: {host: c.example.com}")
    (event,) = events(settings, COMBINED, log("/logs/access.log"))
    assert event["request"]["uri"] == "https://c.example.com/x"


def test_a_mapping_may_use_a_field_that_only_some_paths_give(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        r"path_fields: '/tenant-(?P<tenant>[^/]+)\.log$', mapping: {extends: default, event: {company_id: $tenant}}",
    )
    (given,) = events(settings, COMBINED, log("/logs/tenant-acme.log"))
    (absent,) = events(settings, COMBINED, log("/logs/access.log"))
    assert given["company_id"] == "acme"
    assert "company_id" not in absent


def test_no_host_is_missed_where_the_path_gives_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, r"path_fields: '/(?P<host>[^/]+)\.log$'")
    assert not any("no host" in problem.message for problem in settings.problems)


def test_a_mapping_that_does_not_go_with_a_detected_format_holds_the_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(tmp_path, "format: auto, mapping: {extends: default, event: {company_id: $tenant}}")
    conversion = settings.compile_source(settings.sources[0]).convert(COMBINED, 0, log("/logs/a.log"))
    assert list(conversion.unmatched) == [0]
    assert "no field 'tenant'" in caplog.text


def test_a_group_named_origin_labels_the_host(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, r"path_fields: '/(?P<origin>web-[0-9]+)/'")
    origin_of = settings.origin_of(settings.sources[0])
    assert origin_of("/logs/web-7/access.log") == "web-7"
    assert origin_of("/logs/access.log") == "web-1"


def test_auto_finds_the_format_of_each_file(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "format: auto")
    (combined,) = events(settings, COMBINED, log("/logs/a.log"))
    (common,) = events(settings, COMMON, log("/logs/b.log", 2))
    assert combined["request"]["headers"] == {"User-Agent": "curl/8"}
    assert common["request"]["uri"] == "https://web-1/y"


def test_auto_looks_again_when_nothing_fits_any_more(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "format: auto")
    assert len(events(settings, COMBINED * 3, log("/logs/a.log"))) == 3
    assert len(events(settings, COMMON * 3, log("/logs/a.log"), 1_000)) == 3


def test_auto_keeps_what_it_found_past_lines_that_fit_nothing(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "format: auto")
    converter = settings.compile_source(settings.sources[0])
    long = COMBINED.replace(b"/x", b"/" + b"x" * MAX_SAMPLE_BYTES)
    for data, fitting in ((long, 0), (COMBINED, 1), (b"what is this\n", 0), (b"x" * 9_000 + b"\n", 0), (long, 1)):
        assert len(converter.convert(data, 0, log("/logs/a.log")).events) == fitting


def test_lines_that_no_preset_fits_are_unfit_at_their_places(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "format: auto")
    conversion = settings.compile_source(settings.sources[0]).convert(b"what\r\nis this\n", 100, log("/logs/a.log"))
    assert conversion.events == []
    assert list(conversion.unmatched) == [0, 1]
    assert list(conversion.line_starts) == [100, 106, 114]


def docker(text: bytes) -> bytes:
    return json.dumps({"log": text.decode(), "stream": "stdout", "time": "2026-10-10T13:55:36Z"}).encode() + b"\n"


def test_lines_of_containers_are_taken_out_of_their_envelopes(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "envelope: docker")
    data = docker(COMBINED) * 2
    conversion = settings.compile_source(settings.sources[0]).convert(data, 50, log("/logs/a.log"))
    assert len(conversion.events) == 2
    assert list(conversion.line_starts) == [50, 50 + len(data) // 2, 50 + len(data)]


def test_a_line_that_docker_cut_waits_for_its_end(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "envelope: docker")
    converter = settings.compile_source(settings.sources[0])
    head, tail = docker(COMBINED[:40]), docker(COMBINED[40:])
    first = converter.convert(docker(COMBINED) + head, 0, log("/logs/a.log"))
    assert len(first.events) == 1
    assert first.line_starts[-1] == len(docker(COMBINED))
    second = converter.convert(tail, len(docker(COMBINED) + head), log("/logs/a.log"))
    assert [orjson.loads(event)["request"]["uri"] for event in second.events] == ["https://web-1/x"]
    assert list(second.line_starts) == [len(docker(COMBINED)), len(docker(COMBINED) + head + tail)]


def record(path: str, *more: str, end: str = "\n", stream: str = "stdout") -> bytes:
    """A record whose text is a line for `path`, then more texts."""
    text = COMBINED.decode().replace("/x", path).rstrip("\n") + "".join(more) + end
    return json.dumps({"log": text, "stream": stream, "time": "2026-10-10T13:55:36Z"}).encode() + b"\n"


KINDS: dict[str, tuple[Callable[[str], list[bytes]], int]] = {  # records of one text and how many events they make
    "good": (lambda path: [record(path)], 1),
    "CRLF": (lambda path: [record(path, end="\r\n")], 1),
    "cut": (lambda path: [docker(COMBINED[:20]), docker(COMBINED[20:].replace(b"/x", path.encode()))], 1),
    "two lines": (lambda path: [record(path, "\n", COMBINED.decode().rstrip("\n"))], 0),
    "a newline in its text": (lambda path: [record(path).replace(b"curl", b"cu\\nrl")], 0),
    "an empty line behind": (lambda path: [record(path, "\n")], 0),
    "an empty line before": (lambda path: [docker(b"\n" + COMBINED)], 0),
    "CRLF inside": (lambda path: [record(path, "\r\n", "rest")], 0),
    "cut with a newline": (lambda path: [docker(b"a\nb"), docker(COMBINED)], 0),
    "empty": (lambda path: [docker(b"\n")], 0),
    "a carriage return": (lambda path: [docker(b"\r\n")], 0),
    "no envelope": (lambda path: [b'{"log":7}\n'], 0),
    "none and several": (lambda path: [b'["\\n"]\n'], 0),
}  # fmt: skip


@pytest.fixture(scope="module")
def unwrapping() -> dict[str, Settings]:
    with tempfile.TemporaryDirectory() as name:
        made = {}
        for kind in ("docker", "auto"):
            (Path(name) / kind).mkdir()
            made[kind] = settings_of(Path(name) / kind, f"envelope: {kind}, format: combined")
        return made


@pytest.mark.parametrize("kind", ["docker", "auto"])
@given(names=st.lists(st.sampled_from([*KINDS]), min_size=1, max_size=12), cuts=st.sets(st.integers(0, 20), max_size=5))
def test_a_record_with_several_lines_inside_leaves_its_neighbours_and_their_ids_alone(
    unwrapping: dict[str, Settings], kind: Literal["docker", "auto"], names: list[str], cuts: set[int]
) -> None:
    """It is one unmatched line; everything else is what it is without it, however the log is read."""
    settings = unwrapping[kind]
    file = log("/logs/a.log")
    outer: list[bytes] = []
    expected = {}
    for number, name in enumerate(names):
        write, count = KINDS[name]
        records = write(f"/{number}")
        if count:
            expected[f"https://web-1/{number}"] = transaction_id(records[0].rstrip(b"\n"), 7, sum(map(len, outer)))
        outer += records
    converter = settings.compile_source(settings.sources[0])
    at, end, lines, unmatched = 0, 0, 0, 0
    found: dict[str, str] = {}
    for first, last in pairwise(sorted({min(cut, len(outer)) for cut in cuts} | {0, len(outer)})):
        data = b"".join(outer[first:last])
        conversion = converter.convert(data, at, file)
        at += len(data)
        assert conversion.line_starts[0] == end or not conversion.lines
        end = conversion.line_starts[-1]
        lines, unmatched = lines + conversion.lines, unmatched + len(conversion.unmatched)
        assert list(conversion.unmatched) == sorted(set(conversion.unmatched))
        made = [orjson.loads(event) for event in conversion.events]
        found |= {event["request"]["uri"]: event["transaction_id"] for event in made}
        assert all(
            int(event["transaction_id"][24:], 16) == conversion.line_starts[line]
            for event, line in zip(made, conversion.event_lines, strict=True)
        )
    assert found == expected
    assert (end, lines, unmatched) == (sum(map(len, outer)), len(names), len(names) - len(expected))


def test_a_record_with_several_lines_is_no_event_of_a_json_format_either(tmp_path: Path) -> None:
    """The record is JSON itself, and its time could be taken for the request's."""
    fmt = "format: {json: {time_received: time, path: log}}"
    settings = settings_of(tmp_path, f"envelope: auto, {fmt}")
    text = '{"time":"2026-10-10T13:55:36Z","log":"/a"}\n'
    converter = settings.compile_source(settings.sources[0])
    assert len(converter.convert(docker(text.encode()), 0, log("/logs/a.log")).events) == 1
    conversion = converter.convert(docker(text.encode() * 2), 0, log("/logs/a.log"))
    assert (conversion.events, list(conversion.unmatched), conversion.lines) == ([], [0], 1)


def test_a_trace_opens_the_envelope_too(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "envelope: docker")
    converter = settings.compile_source(settings.sources[0])
    traced = converter.trace(docker(COMBINED).rstrip(b"\n"), 0, log("/logs/a.log"))
    assert traced.event is not None
    assert traced.error is None


def test_an_outside_value_in_a_template_stays_text(tmp_path: Path) -> None:
    (tmp_path / "tag.txt").write_text("price: $status")
    settings = settings_of(tmp_path, "mapping: {extends: default, event: {metadata: {tag: '${file:tag.txt}'}}}")
    (event,) = events(settings, COMBINED, log("/logs/a.log"))
    assert event["metadata"] == {"tag": "price: $status"}
