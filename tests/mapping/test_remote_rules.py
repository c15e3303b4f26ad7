"""The receiver's rules decide as its documents say, whatever executes them."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from typing import Any

import orjson
import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.conversion import Converter, PathFields, SourceConverter, compile_mapping
from logship.event import LogFile
from logship.formats import Format, compile_format, read_spec
from logship.formats.re2_door import compile_pattern, compile_set
from logship.mapping import Constants
from logship.mapping.remote_rules import MAX_RULES, RemoteRules, RemoteRulesError, weight_of
from tests.formats.hostile import ordinary_line
from tests.formats.presets import preset, presets
from tests.kernel.agreement import agreed, done
from tests.mapping import obeying
from tests.mapping.world import LOG, combined, convert, format_named, mapping

WITH_COMPANY = """
event:
  company_id: $request_header_referer
  metadata: {path: $path, agent: $request_header_user_agent, deep: 'x${status}', list: [a, 7, {b: c}]}
rules:
  - {name: kept, if: {path: /kept}, keep: true}
  - {name: anonymous, if: {path: /anonymous}, set: {user_id: null}}
  - {name: renamed, if: {path: /renamed}, set: {user_id: renamed, request.verb: MOVE}}
"""
USERS = ["-", "ann", "bob", "cy", "dee"]
COMPANIES = ["-", "acme", "zorg"]
PATHS = ["/", "/health", "/v1/items?id=7", "/kept", "/anonymous", "/renamed", "/HEALTH", "/v1/%68ealth", "*"]
CONDITIONS = [
    ("request.route", "^/health$"), ("request.route", "(health|items)"), ("request.verb", "GET|MOVE"),
    ("request.verb", "^P"), ("response.status", "^4"), ("request.ip_address", r"^203\.0\."),
    ("request.headers.user-agent", "curl"),
    ("request.headers.X-Absent", "."), ("metadata.path", "v1"), ("metadata.list.1", "7"), ("metadata.list.2.b", "c"),
    ("metadata.deep", "x2"), ("metadata", "."), ("user_id", "^[ab]"), ("company_id", "acme"), ("request.uri", "id="),
    ("direction", "In"), ("nothing.at.all", ".*"), ("request.time", "^2000-10-10T20"), ("transaction_id", "."),
]  # fmt: skip


@pytest.fixture(autouse=True)
def executor() -> str:
    """Each test asks both executors by itself."""
    return "both"


@cache
def made(mapping_text: str, config: bytes, fmt: str = "combined") -> Converter:
    rules = RemoteRules.of(config)
    return compile_mapping(mapping(mapping_text), format_named(fmt), Constants("web-1", "api"), rules)


def obeyed(mapping_text: str, config: dict[str, Any], *lines: bytes, start: int = 0) -> list[dict[str, Any]]:
    """Events of lines under the receiver's rules, the same by both executors."""
    converter = made(mapping_text, orjson.dumps(config))
    assert agreed(converter, *lines, start=start) == done(len(lines))
    return [json.loads(event) for event in convert(converter, *lines, start=start).events]


def unruled(mapping_text: str, *lines: bytes, start: int = 0) -> list[dict[str, Any]]:
    return [json.loads(event) for event in convert(made(mapping_text, b"{}"), *lines, start=start).events]


def excluding(path: str, value: str) -> dict[str, Any]:
    return {"regex_config": [{"conditions": [{"path": path, "value": value}], "sample_rate": 0}]}


@pytest.mark.parametrize("characters", [1, 256, 257, 5_000])
@pytest.mark.parametrize("kind", ["user", "company"])
def test_an_id_that_is_too_long_to_be_sent_decides_all_the_same(kind: str, characters: int) -> None:
    """Events with longer ids go out without them; whoever is excluded must not go out at all."""
    name = "u" * (characters - 1) + "é"
    line = combined(**{"user" if kind == "user" else "referer": name.replace("é", "\\xc3\\xa9")})
    (plain,) = unruled(WITH_COMPANY, line)
    assert (f"{kind}_id" in plain) == (characters <= 256)
    assert obeyed(WITH_COMPANY, {f"{kind}_sample_rate": {name: 0}}, line) == []
    assert obeyed(WITH_COMPANY, {f"{kind}_sample_rate": {name[:256]: 0}}, line) == (
        [] if characters <= 256 else [plain]
    )
    assert obeyed(WITH_COMPANY, excluding(f"{kind}_id", f"^u{{{min(characters - 1, 999)}}}"), line) == []


@pytest.mark.parametrize("kind", ["user", "company"])
def test_a_hashed_id_is_decided_by_as_it_was_before_the_hash_as_well_and_the_smaller_rate_holds(kind: str) -> None:
    hashing = WITH_COMPANY + f"redact: {{hash: [{kind}_id], key: k0123456789abcdef0123456789abcdef}}"
    ann, bob = (combined(**{"user" if kind == "user" else "referer": name}) for name in ("ann", "bob"))
    (plain,) = unruled(hashing, ann)
    hashed = plain[f"{kind}_id"]
    assert len(hashed) == 43
    for excluded in ("ann", hashed):
        assert len(obeyed(hashing, {f"{kind}_sample_rate": {excluded: 0}}, ann, bob)) == 1, "bob's alone"
    for rates in ({"ann": 100, hashed: 0}, {"ann": 0, hashed: 100}):
        assert obeyed(hashing, {f"{kind}_sample_rate": rates}, ann) == []
    for rates in ({"ann": 100, hashed: 40}, {"ann": 40, hashed: 100}, {"ann": 40}):
        kept = obeyed(hashing, {f"{kind}_sample_rate": rates}, *[ann] * 64)
        assert {one["weight"] for one in kept} <= {2}
        assert len(kept) < 64 or kind == "user"
        assert kept == obeyed(hashing, {f"{kind}_sample_rate": {hashed: 40}}, *[ann] * 64), "one draw for both"
    assert obeyed(hashing, excluding(f"{kind}_id", "^ann$"), ann) == [plain], "conditions see what is sent"


@pytest.mark.parametrize("path", ["request.route", "Request.Route", "REQUEST.ROUTE"])
def test_the_route_is_found_under_its_name_in_any_case(path: str) -> None:
    assert obeyed(
        "{}", excluding(path, "^/health$"), combined("GET /health?x HTTP/1.1"), combined("GET /healthy HTTP/1.1")
    )[0]["request"]["uri"].endswith("/healthy")


@pytest.mark.parametrize("path", ["transaction_id", "weight", "Weight", "transaction_id.x"])
def test_a_rule_over_what_is_only_known_behind_the_decision_is_left_out_with_a_warning(path: str) -> None:
    rules = RemoteRules.of(orjson.dumps(excluding(path, ".")))
    assert rules.regexes == ()
    assert rules.warnings[0].startswith(f"rule 1 is left out: {path.lower().partition('.')[0]} is no text to search")


lines = st.builds(
    lambda verb, path, user, company, status, agent: combined(
        f"{verb} {path} HTTP/1.1", user=user, referer=company, status=status, agent=agent
    ),
    st.sampled_from(["GET", "POST", "PUT"]), st.sampled_from(PATHS), st.sampled_from(USERS),
    st.sampled_from(COMPANIES), st.sampled_from(["200", "404", "500"]), st.sampled_from(["curl/8", "-", "a\\xff"]),
)  # fmt: skip
conditions = st.lists(
    st.sampled_from(CONDITIONS).map(lambda one: {"path": one[0], "value": one[1]}), min_size=0, max_size=3
)


def configs(rates: st.SearchStrategy[float]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "sample_rate": rates,
            "user_sample_rate": st.dictionaries(st.sampled_from([*USERS[1:], "renamed"]), rates),
            "company_sample_rate": st.dictionaries(st.sampled_from(COMPANIES[1:]), rates),
            "regex_config": st.lists(
                st.fixed_dictionaries({"conditions": conditions, "sample_rate": rates}), max_size=4
            ),
        },
    )


def test_a_mark_of_byte_order_before_an_answer_changes_nothing_nor_do_rates_of_many_digits() -> None:
    rules = RemoteRules.of(b'\xef\xbb\xbf{"sample_rate":12.50000000000000000000000,"user_sample_rate":{"ann":0}}')
    assert (float(rules.rate), float(rules.users["ann"])) == (12.5, 0)
    assert RemoteRules.of(rules.text) == rules


@pytest.mark.parametrize("answer", [{"error": "internal"}, {"message": "Forbidden"}, {"code": 1, "rates": {}}])
def test_an_answer_without_any_key_of_a_configuration_is_none(answer: dict[str, object]) -> None:
    with pytest.raises(RemoteRulesError, match="no key of a configuration"):
        RemoteRules.of(orjson.dumps(answer))


@settings(max_examples=max(20, (settings.default.max_examples if settings.default else 100) // 2))
@given(config=configs(st.sampled_from([0, 100])), chunk=st.lists(lines, min_size=1, max_size=12))
def test_all_or_nothing_rates_keep_exactly_the_events_that_the_documents_say(
    config: dict[str, Any], chunk: list[bytes]
) -> None:
    before = unruled(WITH_COMPANY, *chunk)
    expected = [
        event
        for event in before
        if obeying.rate_of(event, _without_ids(config)) > 0 or event["metadata"]["path"] == "/kept"
    ]
    assert obeyed(WITH_COMPANY, config, *chunk) == expected


@settings(max_examples=max(15, (settings.default.max_examples if settings.default else 100) // 3))
@given(
    config=configs(st.sampled_from([0, 0.5, 1, 10, 25, 34, 60, 75, 100, 12.5])),
    chunk=st.lists(lines, min_size=1, max_size=12),
)
def test_what_is_kept_is_unchanged_but_for_the_weight_that_its_rate_gives(
    config: dict[str, Any], chunk: list[bytes]
) -> None:
    before = {event["transaction_id"]: event for event in unruled(WITH_COMPANY, *chunk)}
    for event in obeyed(WITH_COMPANY, config, *chunk):
        original = before[event["transaction_id"]]
        rate = 100 if original["metadata"]["path"] == "/kept" else obeying.rate_of(original, _without_ids(config))
        weight = obeying.weight_of(rate)
        assert rate > 0
        assert event == original | ({"weight": weight} if weight > 1 else {})


def _without_ids(config: dict[str, Any]) -> dict[str, Any]:
    """Rules over transaction_id never match, as is documented: it is no value of the request."""
    rules = config.get("regex_config") or []
    kept = [rule for rule in rules if all(one["path"] != "transaction_id" for one in rule["conditions"])]
    return config | {"regex_config": kept}


def test_a_person_is_kept_or_left_out_as_a_whole_and_the_share_of_people_is_the_rate() -> None:
    people = [f"user{number}" for number in range(1_000)]
    chunk = [combined(f"GET /{visit} HTTP/1.1", user=user) for user in people for visit in range(3)]
    fates: dict[str, int] = defaultdict(int)
    for event in obeyed("{}", {"sample_rate": 20}, *chunk):
        fates[event["user_id"]] += 1
        assert event["weight"] == 5
    assert set(fates.values()) == {3}
    assert 150 < len(fates) < 250  # five standard deviations are 63


def test_who_is_kept_at_a_low_rate_is_kept_at_a_higher_one() -> None:
    chunk = [combined(user=f"user{number}") for number in range(400)]
    kept = [{event["user_id"] for event in obeyed("{}", {"sample_rate": rate}, *chunk)} for rate in (5, 20, 50, 90)]
    assert kept[0] < kept[1] < kept[2] < kept[3]


def test_lines_without_a_user_are_decided_one_by_one_and_the_same_in_any_replay() -> None:
    chunk = [combined(f"GET /{number} HTTP/1.1") for number in range(4_000)]
    first, again = (obeyed("{}", {"sample_rate": 10}, *chunk, start=77) for _ in range(2))
    assert first == again
    assert 300 < len(first) < 500
    part = obeyed("{}", {"sample_rate": 10}, *chunk[1_000:], start=77 + sum(len(line) + 1 for line in chunk[:1_000]))
    assert part == first[-len(part) :]


def test_the_mappings_own_sampling_and_the_receivers_multiply() -> None:
    chunk = [combined(f"GET /{number} HTTP/1.1") for number in range(20_000)]
    events = obeyed("rules: [{sample: 25%}]", {"sample_rate": 20}, *chunk)
    assert {event["weight"] for event in events} == {20}
    assert 850 < len(events) < 1_150  # 1,000 expected, a standard deviation is 31
    mine = "event: {weight: 3}\nrules: [{name: heavy, if: {path: /7}, set: {weight: 4}}]"
    weights = {
        event["request"]["uri"][-2:]: event["weight"] for event in obeyed(mine, {"sample_rate": 50}, *chunk[:99])
    }
    assert weights.pop("/7", 8) == 8
    assert set(weights.values()) == {6}


BY_REFERER = "event: {transaction_id: $request_header_referer}"


def test_an_id_that_the_mapping_sets_decides_wherever_its_line_stands() -> None:
    """Two logs of one request, or a log that was split in another way, say the same of it."""
    ids = [f"{number:032x}" for number in range(3_000)]
    here = obeyed(BY_REFERER, {"sample_rate": 10}, *[combined(referer=each) for each in ids])
    there = obeyed(
        BY_REFERER, {"sample_rate": 10}, *[combined("PUT /x HTTP/1.1", referer=each) for each in ids], start=9_999
    )
    assert [event["transaction_id"] for event in here] == [event["transaction_id"] for event in there]
    assert 220 < len(here) < 380  # 300 expected, a standard deviation is 16
    assert {event["weight"] for event in here} == {10}


def test_a_line_whose_id_is_none_is_decided_by_its_own() -> None:
    chunk = [combined(f"GET /{number} HTTP/1.1", referer="no-id") for number in range(2_000)]
    assert obeyed(BY_REFERER, {"sample_rate": 10}, *chunk) == obeyed("{}", {"sample_rate": 10}, *chunk)


def test_a_user_comes_before_an_id_and_own_sampling_multiplies() -> None:
    ids = [f"{number:032x}" for number in range(8_000)]
    of_user = obeyed(BY_REFERER, {"sample_rate": 50}, *[combined(user="ann", referer=each) for each in ids[:40]])
    assert len(of_user) in (0, 40)
    sampled = f"{BY_REFERER}\nrules: [{{sample: 25%}}]"
    chunk = [combined(f"GET /{number} HTTP/1.1", referer=each) for number, each in enumerate(ids)]
    both = obeyed(sampled, {"sample_rate": 20}, *chunk)
    assert {event["weight"] for event in both} == {20}
    assert 300 < len(both) < 500  # 400 expected


def test_a_weight_of_the_mapping_stays_where_the_receiver_keeps_all() -> None:
    config = {"regex_config": [{"conditions": [{"path": "request.verb", "value": "X"}], "sample_rate": 0}]}
    assert [event["weight"] for event in obeyed("event: {weight: 3}", config, combined())] == [3]


def test_what_the_receiver_leaves_out_counts_as_sampled_out_by_its_rule() -> None:
    config = {
        "sample_rate": 0,
        "user_sample_rate": {"ann": 0, "bob": 100},
        "company_sample_rate": {"acme": 0},
        "regex_config": [
            {"conditions": []},
            {"conditions": [{"path": "request.verb", "value": "PUT"}], "sample_rate": 0},
        ],
    }
    chunk = [
        combined(user="ann"), combined(user="bob"), combined(referer="acme"), combined("PUT / HTTP/1.1", user="bob"),
        combined(), combined(user="bob", referer="acme"),
    ]  # fmt: skip
    found = convert(made(WITH_COMPANY, orjson.dumps(config)), *chunk)
    assert len(found.ends) == 1
    assert found.sampled_out == {
        "receiver's user rate": 1, "receiver's company rate": 2, "receiver's rule 2": 1, "receiver's rate": 1,
    }  # fmt: skip


def test_a_rule_may_look_into_logged_json() -> None:
    """Bodies and objects of headers are texts of the log; a rule sees what the event holds."""
    config = {"regex_config": [{"conditions": [{"path": "request.body.op", "value": "^drop"}], "sample_rate": 0}]}
    text = "event: {request: {body: $request_body}}"
    line = b'{"time":"2000-10-10T20:55:36Z","request":"GET / HTTP/1.1","status":200,"body":"{\\"op\\":\\"%s\\"}"}'
    keys = {"time_received": "time", "request_first_line": "request", "status": "status", "request_body": "body"}
    own = compile_format(read_spec({"json": keys}), {})
    rules = RemoteRules.of(orjson.dumps(config))
    converter = compile_mapping(mapping(text), own, Constants("web-1", "api"), rules)
    agreed(converter, line % b"dropped", line % b"kept", line % b"xdrop", line.replace(b'{\\"op', b"{op") % b"drop")
    kept = [json.loads(event)["request"]["body"] for event in convert(converter, line % b"drop", line % b"keep").events]
    assert kept == [{"op": "keep"}]


def test_a_traced_line_says_which_rate_kept_it() -> None:
    config = {"sample_rate": 100, "regex_config": [
        {"conditions": [{"path": "request.route", "value": "^/none"}], "sample_rate": 0},
        {"conditions": [{"path": "request.route", "value": "^/"}], "sample_rate": 10},
    ]}  # fmt: skip
    converter = made("{}", orjson.dumps(config))
    traced = [converter.trace(combined(f"GET /{number} HTTP/1.1"), 0, LOG) for number in range(100)]
    kept = [one for one in traced if one.event]
    assert 0 < len(kept) < 40
    assert {one.kept_by for one in kept} == {"kept 1 in 10 by the receiver's rule 2"}
    assert {one.sampled_out_by for one in traced if not one.event} == {"receiver's rule 2"}
    assert converter.trace(combined("GET /none HTTP/1.1"), 0, LOG).sampled_out_by == "receiver's rule 1"


@pytest.mark.parametrize("name", ["nginx", "caddy_json", "common"])
def test_any_format_obeys_by_both_executors(name: str) -> None:
    fmt = preset(name)
    config = {"sample_rate": 50, "user_sample_rate": {"x": 3}, "regex_config": [
        {"conditions": [{"path": path, "value": value}], "sample_rate": 40} for path, value in CONDITIONS
    ]}  # fmt: skip
    rules = RemoteRules.of(orjson.dumps(config))
    converter = compile_mapping(mapping(), fmt, Constants("web-1", "api"), rules)
    line = ordinary_line(fmt)
    assert agreed(converter, *[line] * 40) == done(40)


def test_as_many_rules_as_are_allowed_make_a_program() -> None:
    config = {
        "sample_rate": 50,
        "company_sample_rate": {f"c{number}": number / 4 for number in range(1, 250)},
        "user_sample_rate": {f"u{number}": number / 100 for number in range(10_000)},
        "regex_config": [
            {"conditions": [{"path": "request.route", "value": f"^/{number}$"}] * 20, "sample_rate": number / 3}
            for number in range(MAX_RULES)
        ],
    }
    text = (
        "event: {company_id: $request_header_referer, transaction_id: $request_header_user_agent}\n"
        "rules: [{sample: 50%, if: {status: 500}}, {sample: 1/3}]"
    )
    obeyed(
        text, config, *[combined(f"GET /{number} HTTP/1.1", user=f"u{number}", referer="c7") for number in range(20)]
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"<html>", "it is no JSON"),
        (b"", "it is no JSON"),
        (b"[]", "it is no JSON object"),
        (b'{"sample_rate":"50"}', "sample_rate is no number"),
        (b'{"sample_rate":true}', "sample_rate is no number"),
        (b'{"sample_rate":NaN}', "it is no JSON"),
        (b'{"user_sample_rate":[]}', "user_sample_rate is no object"),
        (b'{"user_sample_rate":{"u":"0"}}', "a rate of user_sample_rate is no number"),
        (b'{"regex_config":{}}', "regex_config is no list"),
        (b'{"regex_config":[7]}', "rule 1 is no object"),
        (b'{"regex_config":[{},{"conditions":[{"path":"a"}]}]}', "a condition of rule 2 has no path and value"),
        (b'{"regex_config":[{"conditions":7}]}', "the conditions of rule 1 are no list"),
        (b'{"regex_config":[{"sample_rate":[],"conditions":[]}]}', "the sample_rate of rule 1 is no number"),
        (orjson.dumps({"regex_config": [{}] * (MAX_RULES + 1)}), "regex_config has more than 250 rules"),
        (b'{"a":"' + b"x" * 8_000_000 + b'"}', "it has more than 8,000,000 bytes"),
        (b'{"sample_rate":' * 2_000, "it is no JSON"),
    ],
)
def test_an_answer_that_is_not_wholly_right_is_no_configuration(answer: bytes, said: str) -> None:
    with pytest.raises(RemoteRulesError) as error:
        RemoteRules.of(answer)
    assert said in str(error.value)


KEYS = st.sampled_from(["sample_rate", "user_sample_rate", "regex_config", "conditions", "path", "value", "x"])
TREES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda below: st.lists(below) | st.dictionaries(KEYS, below)
)


@given(answer=TREES)
def test_any_answer_is_taken_or_refused_in_words(answer: object) -> None:
    try:
        rules = RemoteRules.of(orjson.dumps(answer))
    except RemoteRulesError:
        return
    assert RemoteRules.of(rules.text) == rules


def test_a_pattern_that_re2_refuses_leaves_its_rule_out_and_the_others_in() -> None:
    rules = RemoteRules.of(orjson.dumps({"block_bot_traffic": True, "regex_config": [
        {"conditions": [{"path": "request.route", "value": "(?=x)"}], "sample_rate": 0},
        {"conditions": [{"path": "request.verb", "value": "GET"}], "sample_rate": 0},
        {"conditions": []},
    ]}))  # fmt: skip
    assert [rule.number for rule in rules.regexes] == [2]
    assert len(rules.warnings) == 3
    assert "rule 1 is left out: regular expression" in rules.warnings[1]


def test_rates_outside_of_a_percentage_mean_its_nearer_end_and_weights_are_the_services() -> None:
    rates = b'{"a":-5,"b":1e-300,"c":0.5,"d":34,"e":1e300,"f":null}'
    rules = RemoteRules.of(b'{"sample_rate":1000,"user_sample_rate":%b}' % rates)
    assert rules.rate == 100
    assert [rules.users[name] == value for name, value in (("a", 0), ("c", 0.5), ("e", 100))] == [True] * 3
    assert [weight_of(rules.users[name]) for name in "acde"] == [1, 200, 2, 1]
    assert weight_of(rules.users["b"]) < 1 << 53
    assert (RemoteRules.of(b'{"sample_rate": 100}').count, rules.count) == (0, 5)


PATTERNS = ["", "^/a", "b$", "a|é", "[0-9]{3}", "^$", r"\x00", ".", "(?i)HEALTH", "^a{1000}b{1000}"]


@given(texts=st.lists(st.binary(max_size=12) | st.sampled_from([b"/health", "é".encode(), b"a" * 2_000]), max_size=5))
def test_patterns_asked_all_at_once_find_what_each_finds(texts: list[bytes]) -> None:
    found = compile_set(tuple(PATTERNS))
    each = [compile_pattern(pattern).is_found for pattern in PATTERNS]
    for text in texts:
        assert sorted(found(text)) == [number for number, is_found in enumerate(each) if is_found(text)]


@pytest.mark.parametrize("lacks", ["Compile", "Match"])
def test_where_re2_has_no_memory_for_all_at_once_they_are_asked_one_by_one(
    lacks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        if lacks == "Compile":
            raise re2.error("failed to compile Set")

    monkeypatch.setattr(re2.Set, lacks, fails)
    compile_set.cache_clear()
    found = compile_set(tuple(PATTERNS[:4]))
    compile_set.cache_clear()
    assert list(found(b"/ab")) == [0, 1, 2, 3]
    assert list(found(b"")) == [0]


@pytest.mark.parametrize("fmt", [None, format_named("combined")], ids=["auto", "combined"])
def test_a_source_obeys_from_the_next_line_on_and_keeps_the_format_that_it_has_found(fmt: Format | None) -> None:
    source = SourceConverter(
        "api", fmt, mapping(), Constants("web-1", "api"), PathFields.of("/(?P<host>[^/]+)$"), presets()
    )
    before = b"".join(combined(user=user) + b"\n" for user in ("ann", "bob"))
    assert len(source.convert(before, 0, LOG).ends) == 2
    source.obey(RemoteRules.of(b'{"user_sample_rate":{"ann":0}}'))
    alone = combined(user="ann") + b"\n"  # of which no format could be told but for what was found before
    assert source.convert(alone, 0, LOG).sampled_out == {"receiver's user rate": 1}
    found = json.loads(source.convert(combined(user="bob") + b"\n", 0, LOG).events[0])
    assert found["request"]["uri"].startswith("https://access.log/")
    source.obey(None)
    assert len(source.convert(alone, 0, LOG).ends) == 1
    other = LogFile(2, "/var/log/other.log", "api", 8, "web-1")
    source.obey(RemoteRules.of(b'{"sample_rate":0}'))
    assert source.convert(before, 0, other).sampled_out == {"receiver's rate": 2}


def test_a_rate_of_an_empty_id_is_nobodys() -> None:
    """Who sent no id is decided by the rate of all; PyPI's moesifapi never finds an empty id either."""
    rules = RemoteRules.of(b'{"sample_rate":100,"user_sample_rate":{"":0,"ann":0},"company_sample_rate":{"":0}}')
    assert rules.users == {"ann": 0}
    assert not rules.companies
