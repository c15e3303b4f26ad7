"""Mistakes of mappings: all at once, each with its place and what to write instead."""

from __future__ import annotations

import pytest

from logship.config.shipped import mapping_names, mapping_path, presets
from logship.conversion import compile_mapping
from logship.conversion.examples import run_examples
from logship.errors import MappingError
from logship.formats import compile_format, read_spec
from logship.mapping import Constants, MappingErrors, merge, parse_mapping
from tests.mapping.world import combined, converter, default_tree, event, format_named, mapping, nginx, yaml


def mistakes(text: str) -> list[MappingError]:
    """What parsing and compiling the default mapping with `text` on top refuses."""
    try:
        converter(text)
    except MappingErrors as exc:
        return list(exc.errors)
    raise AssertionError("nothing was refused")


MISTAKES = [
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
    ("event: {user_id: '${x_id:-$host}'}", ("event", "user_id"), "a default is a text"),
    ("event: {user_id: '${remote_user:-5$}'}", ("event", "user_id"), "a dollar is $$"),
    ("max_body_bytes: 10 apples", ("max_body_bytes",), "write 100000, 100kB or 1MB"),
    ("max_body_bytes: 0", ("max_body_bytes",), "write 100000, 100kB or 1MB"),
    ("max_body_bytes: 1s", ("max_body_bytes",), "write 100000, 100kB or 1MB"),
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
    ("event: {response: {status: abc}}", ("event", "response", "status"), "a number from 100 to 999"),
    ("event: {response: {status: 99999}}", ("event", "response", "status"), "a number from 100 to 999"),
    ("event: {response: {status: $path}}", ("event", "response", "status"), "write $status"),
    ("event: {request: {verb: get}}", ("event", "request", "verb"), "write $method"),
    ("event: {request: {uri: x}}", ("event", "request", "uri"), "${target}"),
    ("event: {request: {ip_address: web-1}}", ("event", "request", "ip_address"), "write $client_ip"),
    ("event: {request: {ip_address: $status}}", ("event", "request", "ip_address"), "write $client_ip"),
    ("event: {request: {headers: {X: [a]}}}", ("event", "request", "headers", "X"), "not a list"),
    ("event: {request: {headers: {X: {a: b}}}}", ("event", "request", "headers", "X"), "not a map"),
    ("event: {user_id: {a: b}}", ("event", "user_id"), "not a map"),
    ("event: {company_id: [a]}", ("event", "company_id"), "not a list"),
    ("event: {direction: x}", ("event", "direction"), "Incoming, Outgoing or Internal"),
    ("event: {weight: 0.5}", ("event", "weight"), "a whole number from 1"),
    ("event: {metadata: x}", ("event", "metadata"), "a map of keys"),
    (
        "event: {request: {body: $request_body, transfer_encoding: json}}",
        ("event", "request", "transfer_encoding"),
        "leave it out",
    ),
    ("rules: [{set: {response.status: abc}}]", ("rules", 0, "set", "response.status"), "from 100 to 999"),
    ("rules: [{set: {direction: in}}]", ("rules", 0, "set", "direction"), "Incoming"),
    ("rules: [{set: {company_id: {a: b}}}]", ("rules", 0, "set", "company_id", "a"), "not a map"),
    ("event: {tags: [a, $host]}", ("event", "tags", 1), "a list holds constants"),
    ("event: {metadata: {a: [[{b: 'x-$host'}]]}}", ("event", "metadata", "a", 0, 0, "b"), "a list holds constants"),
    ("event: {tags: ['5$']}", ("event", "tags", 0), "write $$"),
    ("redact: {query: ['token=']}", ("redact", "query", 0), "write token"),
    ("redact: {query: 'token, password'}", ("redact", "query", 0), "write [token, password]"),
    ("redact: {query: ['*token']}", ("redact", "query", 0), "list the names"),
    ("redact: {query: ['^tok']}", ("redact", "query", 0), "list the names"),
    ("redact: {query: ['']}", ("redact", "query", 0), "names no parameter"),
    ("redact: {query: {keep: ['utm_*']}}", ("redact", "query", "keep", 0), "list the names"),
    ("redact: {body: ['$.card.number']}", ("redact", "body", 0), "write card.number"),
    ("redact: {body: ['password|pin']}", ("redact", "body", 0), "write [password, pin]"),
    ("redact: {headers: ['X-Api-Key:']}", ("redact", "headers", 0), "write X-Api-Key"),
    ("redact: {headers: ['X-*']}", ("redact", "headers", 0), "list the headers"),
    ("redact: {headers: 'X-A, X-B'}", ("redact", "headers", 0), "write [X-A, X-B]"),
    ("rules: [{if: {not: {path: /x}}, drop: true}]", ("rules", 0, "if", "not"), "{path: {not: /x}}"),
    ("rules: [{if: {or: [{path: /x}]}, drop: true}]", ("rules", 0, "if", "or"), "a rule for each"),
    ("rules: [{if: {method: 'GET, POST'}, drop: true}]", ("rules", 0, "if", "method"), "write [GET, POST]"),
    ("rules: [{if: {path: '/a, /b'}, drop: true}]", ("rules", 0, "if", "path"), "write [/a, /b]"),
    ("rules: [{if: {host: 'a.example b.example'}, drop: true}]", ("rules", 0, "if", "host"), "[a.example, b.example]"),
    (
        "rules: [{if: {http_user_agent: '*bot*'}, drop: true}]",
        ("rules", 0, "if", "http_user_agent"),
        "{matches: 'bot'}",
    ),
    ("rules: [{if: {path: {matches: '/^x/'}}, drop: true}]", ("rules", 0, "if", "path", "matches"), "write '^x'"),
    ("rules: [{if: {path: {contains: x}}, drop: true}]", ("rules", 0, "if", "path", "contains"), "mean 'matches'?"),
    ("rules: [{when: {path: /x}, drop: true}]", ("rules", 0, "when"), "did you mean 'if'?"),
    ("rules: [{if: {path: /x}, action: drop, keep: true}]", ("rules", 0, "action"), "write drop: true"),
    ("rules: [{sample: 0.25}]", ("rules", 0, "sample"), "write 25%"),
    ("rules: [{sample: 10}]", ("rules", 0, "sample"), "write 10%"),
    ("defaults: {host: $server_name}", ("defaults", "host"), "a default is a text"),
    ("jwt: {from: $http_authorization, claims: {who: $sub}}", ("jwt", "claims", "who"), "write sub"),
    ("{trusted_proxies: [private], client_ip_header: $http_x_real_ip}", ("client_ip_header",), "write X-Real-Ip"),
    ("redact: {hash: [$user_id], key: k}", ("redact", "hash", 0), "such as user_id"),
]


@pytest.mark.parametrize(("text", "location", "said"), MISTAKES)
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


DOUBTFUL = [
    ("rules: [{name: a, drop: true}, {name: b, keep: true}]", "rule 'b' can never match"),
    ("rules: [{if: {status: 4xx}, drop: true}, {name: b, if: {status: [404, 410]}, keep: true}]", "'b' can never"),
    ("rules: [{name: a, keep: true}, {name: b, if: {status: 200}, drop: true}]", "'b' never acts"),
    ("rules: [{name: a, sample: 10%}, {name: b, if: {path: /}, sample: 50%}]", "'b' never decides"),
    ("redact: {headers: [X-Api-Key]}", "no event has a header 'X-Api-Key'"),
    ("redact: {hash: [company_id], key: k}", "no event has 'company_id'"),
    ("redact: {headers: [http_user_agent]}", "did you mean User-Agent?"),
    ("redact: {query: [arg_q]}", "did you mean q?"),
    ("redact: {query: {keep: [arg_page]}}", "did you mean page?"),
    ("redact: {body: [request.body.pin]}", "did you mean pin?"),
    ("redact: {body: [/card/number]}", "write card.number"),
    ("redact: {body: [pin]}", "no event has a body"),
    ("redact: {path: ['token=([^&]+)']}", "ends before the '?'"),
    ("redact: {path: ['/reset\\?key=(.+)']}", "ends before the '?'"),
    ("redact: {key: k}", "the key hashes nothing"),
    ("rules: [{if: {duration: {min: 500}}, keep: true}]", "write 500ms"),
    ("event: {user_id: '%u'}", "a field is written $remote_user"),
    ("event: {user_id: '{{ remote_user }}'}", "a field is written $remote_user"),
    ("event: {company_id: .remote_user}", "a field is written $remote_user"),
    ("event: {company_id: '%{IP:client_ip}'}", "a field is written $client_ip"),
    ("event: {user_id: remote_user}", "write $remote_user for the field"),
    ("rules: [{if: {path: {matches: '^/([a-z]+)'}}, set: {company_id: '\\1'}}]", "name the group"),
    ("rules: [{set: {user: x}}]", "did you mean 'user_id'?"),
    ("event: {metadata.host: $host}", "write metadata: {host: …}"),
    (
        "rules: [{name: a, if: {path: /x}, drop: true}, {name: a, if: {path: /y}, drop: true}]",
        "two rules are named 'a'",
    ),
    ("rules: [{name: s, sample: 10%}, {name: e, if: {status: 5xx}, keep: true}]", "rule 'e' keeps too late"),
    ("lookups: {company: {from: $host, table: {a: b}}}", "nothing uses $company"),
    ("jwt: {from: $path, claims: {who: sub}}", "nothing uses $who"),
    ("defaults: {hosst: a.example}", "did you mean 'host'?"),
    ("event: {transaction_id: $http_x_request_id}", "erase their own traffic"),
    ("event: {reponse: {}}", "did you mean 'response'?"),
    ("{}", "combined logs no host: URIs begin https://web-1/"),
    ("{}", "combined logs no duration"),
    ("trusted_proxies: [private]", "does not log x-forwarded-for"),
]


@pytest.mark.parametrize(("text", "said"), DOUBTFUL)
def test_what_is_surely_not_meant_is_a_warning(text: str, said: str) -> None:
    assert any(said in warning for warning in warnings(text)), warnings(text)


@pytest.mark.parametrize(
    "text",
    [
        "event: {metadata: {kind: status, source: nginx}}",
        "event: {company_id: acme_inc, tags: [host]}",
        "rules: [{name: a, if: {path: /x}, set: {user_id: x}}, {name: a, if: {path: /y}, set: {user_id: y}}]",
        "rules: [{if: {path: /x}, sample: 10%}, {if: {status: 5xx}, keep: true}]",
        "rules: [{if: {remote_user: 'ann, bob'}, drop: true}]",
        "{lookups: {a: {from: $host, table: {}}, b: {from: $a, table: {}}}, rules: [{if: {b: x}, drop: true}]}",
    ],
)
def test_nothing_is_said_of_what_may_be_meant(text: str) -> None:
    assert not mapping(text).warnings


@pytest.mark.parametrize("pattern", ["/users?/([^/?&]+)", "/(?:a|b)/([^/]+)", "(?i);jsessionid=([^;/]+)", "/.*?/(x)"])
def test_nothing_is_said_of_a_pattern_that_a_path_may_fit(pattern: str) -> None:
    assert not mapping(f"redact: {{path: ['{pattern}']}}").warnings


def test_nothing_is_said_of_a_mapping_that_is_right() -> None:
    text = "{trusted_proxies: [private], rules: [{if: {status: 404}, drop: true}, {if: {status: 4xx}, keep: true}]}"
    assert not mapping(text).warnings
    assert not converter(text, nginx()).warnings


def test_a_list_of_constants_keeps_their_types() -> None:
    found = event(combined(), "event: {tags: [a, 1, 0.5, true, '1', 5$$, [null, {a: 2}]]}")
    assert found["tags"] == ["a", 1, 0.5, True, "1", "5$", [None, {"a": 2}]]


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
