"""Filters, parameters, cookies, claims, lookups and bodies: fields that a mapping makes, and what never leaves."""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.rows import UNUSED_MAPPING
from logship.cli import execute
from logship.formats import compile_format, read_spec
from logship.mapping import MappingErrors
from logship.mapping.made_fields import claim_reader
from logship.mapping.masked_texts import MaskedTexts
from tests.mapping.world import at, combined, convert, converter, event, mapping, nginx

SIGNATURE = "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
BODIES = nginx(
    '$remote_addr - $remote_user [$time_local] "$request" $status "$http_authorization" "$http_cookie" "$request_body"'
)


def encoded(part: object) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def token(**claims: object) -> str:
    return f"{encoded({'alg': 'HS256'})}.{encoded(claims)}.{SIGNATURE}"


def logged(body: str = "-", *, authorization: str = "-", cookie: str = "-", target: str = "/x") -> bytes:
    texts = (text.replace("\\", "\\x5C").replace('"', "\\x22") for text in (authorization, cookie, body))
    shown = " ".join(f'"{text}"' for text in texts)
    return f'203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "POST {target} HTTP/1.1" 200 {shown}'.encode()


@pytest.mark.parametrize(
    ("template", "gives"),
    [
        ("${query|lower}", "name=a%c3%a4+b&x=1&name=2"),
        ("${query|upper}", "NAME=A%C3%A4+B&X=1&NAME=2"),
        ("${query|urldecode}", "Name=Aä b&X=1&name=2"),
        ("${query|urldecode|upper}", "NAME=AÄ B&X=1&NAME=2"),
        ("${remote_user|lower:-nobody}", "nobody"),
        ("-${method|lower}-", "-get-"),
        ("${status|lower}", "200"),
        ("$arg_name", "Aä b"),
        ("${arg_X}", "1"),
        ("${arg_none:-0}", "0"),
    ],
)
def test_templates_filter_and_take_parameters(template: str, gives: str) -> None:
    found = event(combined("GET /x?Name=A%C3%A4+b&X=1&name=2 HTTP/1.1"), f"event: {{metadata: {{a: '{template}'}}}}")
    assert at(found, "metadata", "a") == gives


def test_a_filtered_field_that_is_absent_leaves_its_key_out() -> None:
    assert "metadata" not in event(combined(), "event: {metadata: {a: '${remote_user|lower}', b: $arg_x}}")


def test_cookies_are_fields_where_their_header_is_logged() -> None:
    text = "event: {session_token: $cookie_sid, metadata: {t: $cookie_theme}}"
    found = event(logged(cookie='a=1; sid="s1"; SID=2; theme=dark'), text, BODIES)
    assert (found["session_token"], found["metadata"]) == ("s1", {"t": "dark"})


@pytest.mark.parametrize(
    ("claim", "gives"),
    [
        ("sub", "ann"), ("org.id", "7"), ("https://shop.example/tenant", "acme"), ("roles", "a,b"), ("admin", "true"),
        ("org", ""), ("none", ""), ("org.none", ""), ("sub.x", ""), ("a.b.c", "deep"), ("nothing", ""),
    ],
)  # fmt: skip
def test_claims_of_a_token_are_fields(claim: str, gives: str) -> None:
    names = {"https://shop.example/tenant": "acme", "a.b": {"c": "deep"}, "nothing": None}
    whole = token(sub="ann", org={"id": 7}, roles=["a", "b"], admin=True, **names)
    for text in (whole, f"Bearer {whole}", f"bearer  {whole}"):
        assert claim_reader(claim)(text) == gives


@pytest.mark.parametrize(
    "broken",
    ["", "-", "Bearer", "Basic dXNlcjpwYXNz", "a.b.c", "a.b", f"x.{encoded([1])}.y", f"x.{encoded('sub')}.y", "..",
     f"{token(sub='ann')}.more", "x.eyJzdWIiOiJhbm4i.y", f"x.{encoded({'sub': 'ann'})}!.y", "é.é.é",
     f"x.{encoded({'sub': 'ann'})}.y", f"{encoded([1])}.{encoded({'sub': 'ann'})}.y", f".{encoded({'sub': 'ann'})}.y",
     f"{encoded({'alg': 'x'})}.{encoded({'sub': 'ann'})}.y!", f"a{encoded({'alg': 'x'})}.{encoded({'sub': 'ann'})}.y"],
)  # fmt: skip
def test_claims_of_a_broken_token_are_absent(broken: str) -> None:
    assert claim_reader("sub")(broken) == ""


def test_a_token_is_never_forwarded_however_a_mapping_names_it() -> None:
    text = "jwt: {from: $arg_jwt, claims: {who: sub}}\n"
    text += "event: {user_id: $who, metadata: {a: $arg_jwt, b: $query, c: $target, d: $request_first_line}}"
    line = logged(target=f"/x?jwt={token(sub='ann')}&y=1")
    found = event(line, text, BODIES)
    assert found["user_id"] == "ann"
    assert SIGNATURE not in json.dumps(found)
    header = "jwt: {from: $http_authorization, claims: {who: sub}}\nevent: {user_id: $who, "
    header += "request: {headers: {Authorization: $http_authorization}}, metadata: {a: $http_authorization}}"
    found = event(logged(authorization=f"Bearer {token(sub='ann')}"), header, BODIES)
    assert (found["user_id"], at(found, "metadata", "a")) == ("ann", "[redacted]")
    assert SIGNATURE not in json.dumps(found)


def test_a_lookup_makes_a_field_of_others_that_rules_and_later_lookups_know() -> None:
    text = """
lookups:
  company: {from: "${arg_api_key}", table: {k1: acme, k2: globex}, default: unknown}
  plan: {from: $company, table: {acme: gold}}
rules:
  - {name: gold, if: {plan: gold}, set: {metadata.vip: true}}
  - {name: strangers, if: {company: unknown}, drop: true}
event: {company_id: $company}
"""
    made = converter(text)
    lines = [combined(f"GET /x?api_key={key} HTTP/1.1") for key in ("k1", "k2", "k3")] + [combined()]
    conversion = convert(made, *lines)
    found = [json.loads(text) for text in conversion.events]
    assert [(one["company_id"], "metadata" in one) for one in found] == [("acme", True), ("globex", False)]
    assert conversion.dropped == {"strangers": 2}


MISTAKES = [
    ("event: {user_id: '${host|lowr}'}", ("event", "user_id"), "unknown filter 'lowr'; did you mean 'lower'?"),
    ("event: {user_id: '${host|}'}", ("event", "user_id"), "unknown filter"),
    ("event: {user_id: '${lower(host)}'}", ("event", "user_id"), "write ${host|lower}"),
    ("event: {user_id: '${downcase($host)}'}", ("event", "user_id"), "write ${host|lower}"),
    ("event: {user_id: '${duration * 1000}'}", ("event", "user_id"), "does not count"),
    ("event: {request: {time: '${start_time|lower}'}}", ("event", "request", "time"), "one field with a time"),
    ("lookups: {a: {from: b, table: {}}}", ("lookups", "a", "from"), "names no field; write ${b}"),
    ("lookups: {a: {from: $b, table: {}}, b: {from: $host, table: {}}}", ("lookups", "a", "from"), "not made yet"),
    ("lookups: {a: {from: $a, table: {}}}", ("lookups", "a", "from"), "not made yet"),
    ("lookups: {host: {from: $path, table: {}}}", ("lookups", "host"), "is a field of every log"),
    ("lookups: {a b: {from: $path, table: {}}}", ("lookups", "a b"), "no name for a field"),
    ("lookups: {a: {from: $path, table: t.csv}}", ("lookups", "a", "table"), "no table was read"),
    (
        "{jwt: {from: $path, claims: {a: x}}, lookups: {a: {from: $path, table: {}}}}",
        ("lookups", "a"),
        "made twice",
    ),
    ("jwt: {from: $path, claims: {status: x}}", ("jwt", "claims", "status"), "is a field of every log"),
    ("redact: {body: ['**']}", ("redact", "body", 0), "names no key"),
]


@pytest.mark.parametrize(("text", "place", "said"), MISTAKES)
def test_mistakes_in_made_fields_have_their_place(text: str, place: tuple[object, ...], said: str) -> None:
    with pytest.raises(MappingErrors) as caught:
        mapping(text)
    assert [(error.location, said in str(error)) for error in caught.value.errors] == [(place, True)]


def test_an_unknown_field_in_a_lookup_is_told_with_the_format() -> None:
    with pytest.raises(MappingErrors, match="no field 'pth'"):
        converter("lookups: {a: {from: '${pth}', table: {}}}")


def test_a_body_over_its_limit_is_left_out_and_counted_and_its_event_goes() -> None:
    made = converter("{max_body_bytes: 10, event: {request: {body: $request_body}}}", BODIES)
    bodies = ['{"a":"ä"}', '{"a":"ä"} ', '{"a":"ää"}', "-", "x" * 70_000]
    conversion = convert(made, *map(logged, bodies))
    assert ["body" in json.loads(text)["request"] for text in conversion.events] == [True, False, False, False, False]
    assert conversion.left_out == {"request.body": 3}


KEYS = st.sampled_from(["password", "pin", "card", "number", "token", "a", "b", "PassWord", "x.y", ""])
SECRET = "s3cr3t-value"


def trees() -> st.SearchStrategy[Any]:
    leaves = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=3), st.just(SECRET))

    def nested(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(st.lists(below, max_size=3), st.dictionaries(KEYS, below, max_size=3))

    return st.recursive(leaves, nested, max_leaves=9)


def visible(tree: Any, way: tuple[str, ...] = ()) -> Any:
    """An independent reading: the tree with what stands under a masked key, or behind its name in a pair, replaced."""
    if isinstance(tree, dict):
        return {
            key: "[redacted]" if is_hidden(way, key) else visible(below, (*way, key.lower()))
            for key, below in tree.items()
        }
    if isinstance(tree, list):
        shown = [visible(below, way) for below in tree]
        is_pair = len(tree) == 2 and isinstance(tree[0], str) and is_hidden(way, tree[0])
        return [shown[0], "[redacted]"] if is_pair else shown
    return tree


def is_hidden(way: tuple[str, ...], key: str) -> bool:
    here = (*way, key.lower())
    return here[-1] in ("password", "token") or here[-2:] == ("card", "number") or here[-2:-1] == ("pin",)


MASK = MaskedTexts(["password", "card.number", "**.token", "pin.*"]).body


@given(trees())
def test_no_value_under_a_masked_key_survives_and_all_others_do(tree: Any) -> None:
    assert json.loads(MASK(json.dumps(tree))) == visible(tree)


@given(trees())
def test_json_in_a_text_of_a_body_is_masked_too(tree: Any) -> None:
    if isinstance(tree, dict | list):
        assert json.loads(json.loads(MASK(json.dumps({"a": json.dumps(tree)})))["a"]) == visible(tree, ("a",)[1:])


@given(st.lists(st.tuples(KEYS.filter(bool), st.text(max_size=8)), min_size=1, max_size=5))
def test_values_of_masked_keys_of_a_form_are_replaced(pairs: list[tuple[str, str]]) -> None:
    shown = parse_qsl(MASK(urlencode(pairs)), keep_blank_values=True)
    hidden = {"password", "token"}
    assert shown == [(key, "[redacted]" if key.lower() in hidden and value else value) for key, value in pairs]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("card[number]=4111&card[name]=x", "card[number]=[redacted]&card[name]=x"),
        ("a=1;password=x", "a=1;password=[redacted]"),
        ("a=1&amp;password=x", "a=1&amp;password=[redacted]"),
        ("+password=x&%20Password=y&?password=z", "+password=[redacted]&%20Password=[redacted]&?password=[redacted]"),
        ('"=["', '"=["'),
        ("a=%7B%22b%22:1%7D&c=[", "a=%7B%22b%22:1%7D&c=["),
        ('{"a":"password=x&b=1"}', '{"a":"password=[redacted]&b=1"}'),
        ('"password=x"', '"password=[redacted]"'),
        ('{"card.number":1,"card.name":2}', '{"card.number":"[redacted]","card.name":2}'),
        (
            '{"password ":1,"ｐassword":2,"paſsword":3}',
            '{"password ":"[redacted]","ｐassword":"[redacted]","paſsword":"[redacted]"}',
        ),
        ("user%5Bpassword%5D=x", "user%5Bpassword%5D=[redacted]"),
        ("items[0][token]=x", "items[0][token]=[redacted]"),
        ("d=%7B%22pin%22%3A%7B%22x%22%3A1%7D%7D", "d=%7B%22pin%22%3A%7B%22x%22%3A%22%5Bredacted%5D%22%7D%7D"),
        ("<password>x</password>", ""),
        ('{"password":"x', ""),
        ("password", ""),
        ("[" * 500 + "]" * 500, ""),
        ('{"a":1,"password":"x","password":"y"}', '{"a":1,"password":"[redacted]"}'),
        ("", ""),
    ],
)
def test_what_can_not_be_looked_through_is_left_out(body: str, shown: str) -> None:
    assert MASK(body) == shown


def test_a_body_that_can_not_be_looked_through_is_left_out_and_counted() -> None:
    made = converter("{redact: {body: [password]}, event: {request: {body: $request_body}}}", BODIES)
    conversion = convert(made, *map(logged, ["<password>x</password>", '{"a":1}', '{"password":', "-", "a=1"]))
    found = [json.loads(text)["request"] for text in conversion.events]
    assert ["body" in one for one in found] == ["transfer_encoding" in one for one in found]
    assert ["body" in one for one in found] == [False, True, False, False, True]
    assert conversion.left_out == {"request.body": 2}


def test_a_masked_body_stays_what_it_was_in_the_event() -> None:
    text = "{redact: {body: [password]}, event: {request: {body: $request_body}, metadata: {b: $request_body}}}"
    found = event(logged('{"password":"x","n":[{"password":{"a":1}}]}'), text, BODIES)
    assert at(found, "request", "body") == {"password": "[redacted]", "n": [{"password": "[redacted]"}]}
    assert at(found, "request", "transfer_encoding") == "json"
    assert json.loads(str(at(found, "metadata", "b"))) == at(found, "request", "body")
    form = event(logged("a=1&password=x"), text, BODIES)
    assert b64decode(str(at(form, "request", "body"))) == b"a=1&password=[redacted]"


@pytest.mark.parametrize(
    ("redact", "shown"),
    [("query: [api_key]", "[redacted]"), ("query: {keep: [page]}", "[redacted]"), ("query: [x]", "k1")],
)
def test_a_parameter_that_is_redacted_in_the_uri_is_redacted_as_a_field(redact: str, shown: str) -> None:
    text = f"{{redact: {{{redact}}}, event: {{metadata: {{a: $arg_api_key}}}}}}"
    assert at(event(combined("GET /?api-key=k1&api_key=k1 HTTP/1.1"), text), "metadata", "a") == shown


@pytest.mark.parametrize("inner", ["[]\t\n", ' {"a" : 1.50}', "[1e2]", '{"pin": 1, "pin": 2}', "[]", "{not", '"[ ]"'])
def test_a_text_in_a_body_that_is_json_itself_stays_as_it_is_where_nothing_in_it_is_masked(inner: str) -> None:
    mask = MaskedTexts(["password"]).body
    for tree in (inner, {"a": [inner]}, json.dumps(inner)):
        assert json.loads(mask(json.dumps(tree))) == tree
    hidden = json.loads(mask(json.dumps({"a": json.dumps({"password": "x", "b": inner})})))
    assert json.loads(hidden["a"]) == {"password": "[redacted]", "b": inner}


@pytest.mark.parametrize("target", ["a?token=SECRET", "?token=SECRET", "*?x=1&token=SECRET", "http:/x?token=SECRET"])
def test_a_query_is_redacted_in_targets_that_are_no_path(target: str) -> None:
    text = "{redact: {query: [token]}, event: {metadata: {t: $target, q: $query}}}"
    assert "SECRET" not in json.dumps(event(combined(f"GET {target} HTTP/1.1"), text))


@pytest.mark.parametrize("number", ["1e400", "-1e400", "99999999999999999999", "1e19"])
def test_numbers_that_no_reader_has_room_for_are_texts(number: str) -> None:
    assert at(event(combined(), f"event: {{metadata: {{v: {number}}}}}"), "metadata", "v") == number


@pytest.mark.parametrize(
    ("condition", "remedy"),
    [
        ("path: '*.css'", "{matches: '\\.css$'}"), ("path: '*'", "every path fits"), ("path: '/a/*/b'", "'^/a/.*/b$'"),
        ("path: '^/api'", "{matches: '^/api'}"), ("path: '/api/.*'", "{matches: '^/api/.*'}"),
        ("path: 'https://x/a'", "write /a"), ("host: Shop.Example", "write shop.example"),
        ("host: 'shop.example:443'", "write shop.example"), ("remote_user: '-'", "{absent: true}"),
    ],
)  # fmt: skip
def test_what_to_write_in_the_place_of_a_matcher_is_what_was_meant(condition: str, remedy: str) -> None:
    with pytest.raises(MappingErrors) as caught:
        mapping(f"rules: [{{if: {{{condition}}}, drop: true}}]")
    assert remedy in str(caught.value)


def test_a_constant_id_is_refused_and_classes_may_stand_in_lists() -> None:
    with pytest.raises(MappingErrors, match="the same id"):
        mapping("event: {transaction_id: x}")
    made = converter("rules: [{name: errors, if: {status: {in: [404, 5xx]}}, drop: true}]")
    assert convert(made, combined(status="502"), combined(status="404"), combined()).dropped == {"errors": 2}


def test_an_empty_mapping_file_is_a_mistake_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.yml").write_text("# nothing yet\n")
    (tmp_path / "a.log").write_bytes(combined() + b"\n")
    assert execute(["preview", "--mapping", str(tmp_path / "empty.yml"), str(tmp_path / "a.log")]) == 78
    assert "the mapping has no event" in "".join(capsys.readouterr())


MEMBERS = compile_format(read_spec({"json": "auto"}), {})


def test_members_of_a_json_log_are_masked_wherever_a_template_writes_them() -> None:
    payload = {"user": "ä", "password": SECRET, "n": [{"password": SECRET, "m": '{"password": "s3cr3t-value"}'}]}
    logged_json = {"time": "2026-10-10T11:55:36Z", "status": 200, "remote_addr": "192.0.2.1", "request_uri": "/x"}
    line = json.dumps(
        logged_json | {"payload": payload, "password": SECRET, "number": 5, "text": "[info] a", "o": {"a": 1}}
    )
    text = """
redact: {body: [password]}
event:
  metadata: {p: "${payload}", t: "x ${payload}", d: "${payload.password}", s: "${password}", u: "${payload|upper}",
    v: "${payload:-none}", n: "${number}", i: "${text}", o: "${o}"}
"""
    found = event(line.encode(), text, MEMBERS)
    assert SECRET.upper() not in json.dumps(found).upper()
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    shown = {"user": "ä", "password": "[redacted]", "n": [{"password": "[redacted]", "m": '{"password":"[redacted]"}'}]}
    assert metadata["p"] == shown
    assert json.loads(metadata["t"].removeprefix("x ")) == shown
    assert (metadata["d"], metadata["s"]) == ("[redacted]", "[redacted]")
    assert (metadata["n"], metadata["i"], metadata["o"]) == (5, "[info] a", {"a": 1})


def test_features_that_no_event_uses_leave_the_program_as_it_is() -> None:
    """So they cost nothing: the benchmark's row of unused features is the plain one."""
    (plain,), (unused,) = (converter(text).members for text in ("{}", UNUSED_MAPPING))
    for part in ("code", "constants", "counters", "registers", "flags", "fields", "make", "escaping"):
        assert getattr(plain.program, part) == getattr(unused.program, part)
    names = [[one.name for one in member.program.functions] for member in (plain, unused)]
    assert names[0] == names[1]
