"""What of a mapping can never hold, or never be what it says, is reported, each with what to write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from logship.cli import execute
from logship.mapping import MappingErrors
from tests.mapping.world import combined, mapping

NEVER = [
    ("client_ip: {in: []}", "empty list"),
    ("status: {min: 1000}", "no status is 1000 or more"),
    ("status: {max: 99}", "no status is 99 or less"),
    ("status: {min: 500, max: 400}", "swap min and max"),
    ("status: {matches: '^5xx$'}", "write 5xx"),
    ("status: [1000]", "no status"),
    ("duration: {max: -1}", "or less"),
    ("response_bytes: {matches: big}", "fits no number"),
    ("method: {matches: '^get$'}", "write '^GET$'"),
    ("method: {matches: get}", "write 'GET'"),
    ("method: {in: [get]}", "write GET"),
    ("host: {matches: 'Shop[.]example'}", "write 'shop[.]example'"),
    ("host: 'api.*.example'", "is no pattern here"),
    ("host: 'shop.example.'", "write shop.example"),
    ("scheme: {matches: '^HTTPS'}", "write '^https'"),
    ("path: {matches: '[?]token='}", "the query is not in it"),
    ("path: {matches: '\\?a'}", "match target"),
    ("path: {matches: '/a$b'}", "$ the end"),
    ("path: {matches: 'a^/b'}", "^ is the begin"),
    ("path: {absent: true}", "is never absent"),
    ("query: {matches: '^[?]a=1'}", "leave it out"),
    ("query: {absent: true, matches: a}", "leave out absent"),
    ("remote_user: {absent: true, min: 1}", "leave out absent"),
    ("remote_user: {in: [bob], not: [bob, ann]}", "is what must not"),
    ("remote_user: {not: {matches: '.*'}}", "not holds for none"),
    ("file: access.log", "a whole path"),
    ("{request_header_user_agent: curl, http_user_agent: wget}", "are one field"),
]


@pytest.mark.parametrize(("condition", "said"), NEVER)
def test_a_matcher_that_never_holds_is_refused(condition: str, said: str) -> None:
    tree = condition if condition.startswith("{") else f"{{{condition}}}"
    with pytest.raises(MappingErrors) as caught:
        mapping(f"rules: [{{if: {tree}, drop: true}}]")
    assert said in str(caught.value)
    assert len(caught.value.errors) == 1


@pytest.mark.parametrize(
    "condition",
    [
        "method: {matches: '(?i)get'}", "method: {matches: 'get|GET'}", "method: {matches: '[a-z]'}", "status: 999",
        "path: {matches: '^/a$|^/b$'}", "path: {matches: '(^|/)x($|/)'}", "path: {matches: '[^a]$'}", "status: 600",
        "path: {matches: '\\$a'}", "host: {matches: '\\Dx'}", "host: {matches: 'a{2}'}", "query: {absent: true}",
        "remote_user: {in: [bob, ann], not: bob}", "method: {absent: true}", "status: {matches: '^5'}",
        "path: {matches: '(?m)a^b'}", "remote_user: {absent: false, matches: x}", "{path: /a, target: /b}",
        "host: {matches: '[A-Z]'}", "path: {matches: 'a\\^b'}", "path: {matches: '[$]x'}",
    ],
)  # fmt: skip
def test_a_matcher_that_may_hold_is_taken(condition: str) -> None:
    mapping(f"rules: [{{if: {condition if condition[0] == '{' else '{' + condition + '}'}, drop: true}}]")


WRONG = [
    ("rules: [{set: {transaction_id: abc}}]", "every event would have the same id"),
    ("event: {transaction_id: $$}", "every event would have the same id"),
    ("event: {transaction_id: '${request_id:-9f86d081-884c-4d65-9a2f-eaa0c55ad015}'}", "every event without it"),
    ("rules: [{set: {response: null}}]", "response.time can't be removed"),
    ("rules: [{set: {request.uri: null}}]", "drop: true leaves the event out"),
    ("lookups: {a: {from: $host, table: {x: y}, default: $host}}", "a default is a text"),
    ("lookups: {a: {from: $host, table: {x: $path}}}", "a table holds texts"),
    ("event: {direction: $method}", "Incoming, Outgoing or Internal"),
    ("rules: [{set: {direction: $host}}]", "Incoming, Outgoing or Internal"),
    ("event: {weight: $host}", "weight can't be a token"),
    ("event: {metadata: $host}", "write a map of keys"),
    ("event: {transaction_id: $status}", "can't be a status"),
    ("event: {request: {verb: $status}}", "write $method"),
    ("event: {request: {uri: $start_time}}", "${target}"),
    ("event: {request: {transfer_encoding: $host}}", "json or base64"),
    ("event: {request: {transfer_encoding: gzip}}", "json or base64"),
    ("event: {response: {status: '${status}0'}}", "is one field"),
    ("event: {response: {ip_address: $duration}}", "can't be a"),
    ("event: {user_id: $start_time}", "user_id can't be a"),
    ("redact: {body: ['card[0].number']}", "write card.number"),
    ("redact: {body: ['items[*].token']}", "write items.token"),
    ("redact: {query: ['card.0.number']}", "write card.number"),
    ("redact: {body: ['a.**.b']}", "only be at the beginning"),
    ("redact: {path: ['/users/:id']}", "write '/users/([^/]+)'"),
    ("redact: {path: ['/users/*']}", "write '/users/([^/]+)'"),
    ("redact: {path: ['/users/{id}/mail']}", "write '/users/([^/]+)/mail'"),
    ("event: {user_id: '-'}", "user_id can't be '-'"),
    ("event: {user_id: ''}", "user_id can't be ''"),
    ("jwt: {from: $status, claims: {a: sub}}", "holds no token: $status"),
    ("jwt: {from: '${http_authorization|lower}', claims: {a: sub}}", "can't be decoded"),
    ("{event: {metadata: {n: $host}}, redact: {hash: [metadata], key: k}}", "write [metadata.n]"),
    ("redact: {path: ['/reset/']}", "write '/reset/([^/]+)'"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_would_be_something_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(MappingErrors) as caught:
        mapping(text)
    assert said in str(caught.value)


VAIN = [
    ("lookups: {a: {from: '${host|lower}', table: {Shop.example: x}}}", "write shop.example"),
    ("lookups: {a: {from: '${arg_key|upper}', table: {key: x}}}", "write KEY"),
    ("lookups: {a: {from: $method, table: {get: x}}}", "write GET"),
    ("lookups: {a: {from: $path, table: {users: x}}}", "write /users"),
    ("lookups: {a: {from: 'k-${arg_key}', table: {one: x}}}", "no text looked up is 'one'"),
    ("{lookups: {a: {from: $host, table: {x: gold}}}, rules: [{if: {a: golt}, drop: true}]}", "did you mean 'gold'?"),
    ("defaults: {host: '{{ host }}'}", "is sent as this text"),
    ("event: {request: {uri: $path}}", "is no URL"),
    ("event: {request: {uri: '${scheme}${host}${target}'}}", "is no URL"),
    ("rules: [{set: {request.uri: $target}}]", "is no URL"),
]


@pytest.mark.parametrize(("text", "said"), VAIN)
def test_what_is_surely_not_meant_is_a_warning(text: str, said: str) -> None:
    assert said in " ".join(map(str, mapping(text).warnings))


def extended(folder: Path, base: str, child: str, capsys: pytest.CaptureFixture[str]) -> str:
    (folder / "base.yml").write_text(f"extends: default\n{base}\n")
    (folder / "child.yml").write_text(f"extends: base.yml\n{child}\n")
    (folder / "a.log").write_bytes(combined() + b"\n")
    execute(["preview", "--mapping", str(folder / "child.yml"), str(folder / "a.log")])
    return "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("base", "child", "said"),
    [
        ("redact: {ip: truncate}", "redact: {ip: keep}", "child.yml:2:14: ip: keep is less than the truncate"),
        ("redact: {query: [token]}", "redact: {query: null}", "query: null would send"),
        ("redact: {query: [token]}", "redact: null", "redact: null would send"),
        ("redact: {query: [token]}", "redact: {query: {keep: [page, Token]}}", "'Token' is redacted by the extended"),
        ("redact: {query: {keep: [page]}}", "redact: {query: {keep: [page, q]}}", "'q' is redacted by the extended"),
    ],
)
def test_a_mapping_that_would_redact_less_than_the_one_it_extends_is_refused(
    base: str, child: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in extended(tmp_path, base, child, capsys)


@pytest.mark.parametrize(
    ("base", "child"),
    [
        ("redact: {query: [token]}", "redact: {query: {keep: [page]}}"),
        ("redact: {query: {keep: [page, token]}}", "redact: {query: [token]}"),
    ],
)
def test_a_list_of_parameters_and_what_may_be_kept_hold_both(
    base: str, child: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.log").write_bytes(combined("GET /?page=1&token=s3cret&b=s3cret HTTP/1.1") + b"\n")
    (tmp_path / "base.yml").write_text(f"extends: default\n{base}\n")
    (tmp_path / "child.yml").write_text(f"extends: base.yml\n{child}\n")
    assert execute(["preview", "--json", "--mapping", str(tmp_path / "child.yml"), str(tmp_path / "a.log")]) == 0
    uri = json.loads(capsys.readouterr().out)["event"]["request"]["uri"]
    assert uri.endswith("/?page=1&token=[redacted]&b=[redacted]")


def test_a_misspelt_mapping_to_extend_hides_no_other_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.yml").write_text("extends: defualt\nevent: {user_id: $remote_usr, weight: $host}\n")
    (tmp_path / "a.log").write_bytes(combined() + b"\n")
    source = f"{{name: a, format: combined, paths: [{tmp_path}/a.log], mapping: m.yml}}"
    (tmp_path / "c.yml").write_text(f"endpoint: {{url: http://127.0.0.1:1, application_id: x}}\nsources: [{source}]\n")
    assert execute(["check", "-c", str(tmp_path / "c.yml")]) == 78
    told = "".join(capsys.readouterr())
    assert "did you mean 'default'?" in told
    assert "weight can't be" in told
    assert "did you mean 'remote_user'?" in told
