"""Mistakes of mappings: all at once, each with its place and what to write instead."""

from __future__ import annotations

import pytest

from logship.config.shipped import mapping_names, mapping_path, presets
from logship.conversion import compile_mapping
from logship.conversion.examples import run_examples
from logship.errors import MappingError
from logship.formats import compile_format, read_spec
from logship.mapping import Constants, MappingErrors, merge, parse_mapping
from tests.mapping.world import converter, default_tree, format_named, mapping, nginx, yaml


def mistakes(text: str) -> list[MappingError]:
    """What parsing and compiling the default mapping with `text` on top refuses."""
    try:
        converter(text)
    except MappingErrors as exc:
        return list(exc.errors)
    raise AssertionError("nothing was refused")


@pytest.mark.parametrize(
    ("text", "location", "said"),
    [
        ("evnt: {}", ("evnt",), "did you mean 'event'?"),
        ("rules: [{nam: x, drop: true}]", ("rules", 0, "nam"), "did you mean 'name'?"),
        ("rules: [{drop: yes}]", ("rules", 0, "drop"), "write true or false"),
        ("rules: [{if: {path: /x}}]", ("rules", 0), "a rule that does nothing"),
        ("rules: [{drop: true, keep: true}]", ("rules", 0, "drop"), "can do nothing else"),
        ("rules: [{sample: 30%}]", ("rules", 0, "sample"), "write 1/3"),
        ("rules: [{sample: ten}]", ("rules", 0, "sample"), "write 10% or 1/20"),
        ("rules: [{sample: 0%}]", ("rules", 0, "sample"), "use drop: true"),
        ("rules: [{if: {path: {match: x}}, drop: true}]", ("rules", 0, "if", "path", "match"), "mean 'matches'?"),
        ("rules: [{if: {path: {matches: '('}}, drop: true}]", ("rules", 0, "if", "path", "matches"), "missing )"),
        ("rules: [{if: {path: {matches: '(?=x)'}}, drop: true}]", ("rules", 0, "if", "path", "matches"), "lookahead"),
        ("rules: [{if: {pth: x}, drop: true}]", ("rules", 0, "if", "pth"), "did you mean 'path'?"),
        ("rules: [{if: {host: {in: 300.1.1.1}}, drop: true}]", ("rules", 0, "if", "host", "in"), "192.0.2.0/24"),
        ("rules: [{if: {duration: {min: fast}}, drop: true}]", ("rules", 0, "if", "duration", "min"), "1.5s"),
        ("rules: [{set: {request.time: x}}]", ("rules", 0, "set", "request.time"), "times come from the log"),
        ("rules: [{set: {user_id.x: y}}]", ("rules", 0, "set", "user_id.x"), "is a value, not a map"),
        ("event: {user_id: $remote_usr}", ("event", "user_id"), "did you mean 'remote_user'?"),
        ("event: {user_id: 'a$'}", ("event", "user_id"), "write $$"),
        ("event: {user_id: '${x'}", ("event", "user_id"), "closing brace"),
        ("event: {user_id: '${}'}", ("event", "user_id"), "no field name"),
        ("event: {request: {time: now}}", ("event", "request", "time"), "$start_time"),
        ("event: {request: {time: $status}}", ("event", "request", "time"), "is no time"),
        ("event: {request: {uri: null}}", ("event", "request"), "request.uri is missing"),
        ("redact: {hash: [user_id]}", ("redact", "hash"), "add key:"),
        ("redact: {ip: hash}", ("redact", "ip"), "add key:"),
        ("redact: {ip: drop}", ("redact", "ip"), "keep, truncate, hash"),
        ("redact: {path: ['[']}", ("redact", "path", 0), "missing ]"),
        ("redact: {querry: [x]}", ("redact", "querry"), "did you mean 'query'?"),
        ("trusted_proxies: [10.0.0.0/99]", ("trusted_proxies", 0), "192.0.2.0/24"),
        ("client_ip_header: X-Real-IP", ("client_ip_header",), "trusted_proxies"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_way_out(text: str, location: tuple[object, ...], said: str) -> None:
    found = mistakes(text)
    assert [error.location for error in found] == [location], found
    assert said in str(found[0])


def test_all_mistakes_are_told_at_once() -> None:
    text = """
event: {user_id: $usr, company_id: '${', metadata: {a: '$'}}
rules: [{sample: 7%}, {if: {path: {matches: '['}}, drop: true}, {}]
redact: {hash: [user_id]}
"""
    assert len(mistakes(text)) >= 6


def test_a_mapping_without_event_says_how_to_begin() -> None:
    with pytest.raises(MappingErrors, match="extends: default"):
        parse_mapping({})


def warnings(text: str) -> list[str]:
    made = converter(text)
    return [str(error) for error in (*mapping(text).warnings, *made.warnings)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [{name: a, drop: true}, {name: b, keep: true}]", "rule 'b' can never match"),
        ("rules: [{if: {status: 4xx}, drop: true}, {name: b, if: {status: [404, 410]}, keep: true}]", "'b' can never"),
        ("rules: [{name: a, keep: true}, {name: b, if: {status: 200}, drop: true}]", "'b' never acts"),
        ("rules: [{name: a, sample: 10%}, {name: b, if: {path: /}, sample: 50%}]", "'b' never decides"),
        ("redact: {headers: [X-Api-Key]}", "no event has a header 'X-Api-Key'"),
        ("redact: {hash: [company_id], key: k}", "no event has 'company_id'"),
        ("event: {transaction_id: $http_x_request_id}", "erase their own traffic"),
        ("event: {reponse: {}}", "did you mean 'response'?"),
        ("{}", "combined logs no host: URIs begin https://web-1/"),
        ("{}", "combined logs no duration"),
        ("trusted_proxies: [private]", "does not log x-forwarded-for"),
    ],
)
def test_what_is_surely_not_meant_is_a_warning(text: str, said: str) -> None:
    assert any(said in warning for warning in warnings(text)), warnings(text)


def test_nothing_is_said_of_a_mapping_that_is_right() -> None:
    text = "{trusted_proxies: [private], rules: [{if: {status: 404}, drop: true}, {if: {status: 4xx}, keep: true}]}"
    assert not mapping(text).warnings
    assert not converter(text, nginx()).warnings


def test_maps_merge_rules_append_and_redaction_only_grows() -> None:
    base = yaml("{event: {a: 1, b: {c: 2}}, rules: [{name: x}], redact: {query: [one], ip: truncate}, examples: [1]}")
    child = yaml("{extends: x, event: {b: {d: 3}, a: null}, rules: [{name: y}], redact: {query: [two]}}")
    merged = merge(base, child)
    assert merged["event"] == {"a": None, "b": {"c": "2", "d": "3"}}
    assert merged["rules"] == [{"name": "x"}, {"name": "y"}]
    assert merged["redact"] == {"query": ["one", "two"], "ip": "truncate"}
    assert "examples" not in merged
    assert "extends" not in merged


def shipped(name: str) -> dict[str, object]:
    tree = yaml(mapping_path(name).read_text())
    return tree if name == "default" else merge(default_tree(), tree)


@pytest.mark.parametrize("name", mapping_names())
def test_the_examples_of_shipped_mappings_hold(name: str) -> None:
    spec = parse_mapping(shipped(name))
    results = list(run_examples(spec, lambda tree: compile_format(read_spec(tree), presets())))
    assert results
    assert not [result for result in results if not result.holds]
    assert not spec.warnings


@pytest.mark.parametrize("name", sorted(set(presets()) - {"auto"}))
def test_every_preset_goes_with_the_default_mapping(name: str) -> None:
    made = compile_mapping(mapping(), format_named(name), Constants("web-1", "api", {"host": "h"}))
    assert made.members
