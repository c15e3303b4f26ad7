"""The schema of mappings and the tool agree: what one takes the other takes, and both mark the same mistakes."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest

from logship.config.schema import mapping_schema
from logship.event import Plain
from tests.mapping import test_language, test_spec
from tests.mapping.world import converter, mapping, yaml

VALIDATOR = jsonschema.Draft202012Validator(mapping_schema())
_WORDS = {"true": True, "false": False, "null": None, "": None}


def as_editors_see(node: Any) -> Any:
    """Scalars by YAML 1.2's core schema."""
    if isinstance(node, dict):
        return {str(key): as_editors_see(below) for key, below in node.items()}
    if isinstance(node, list):
        return [as_editors_see(below) for below in node]
    if not isinstance(node, Plain):
        return node
    if node in _WORDS:
        return _WORDS[node]
    if re.fullmatch(r"[-+]?[0-9]+", node):
        return int(node)
    return float(node) if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", node) else str(node)


def marks(text: str) -> list[str]:
    return [".".join(map(str, one.absolute_path)) for one in VALIDATOR.iter_errors(as_editors_see(yaml(text)))]


ACCEPTED = [
    "event: {user_id: '${remote_user|lower|upper:-x}'}",
    "event: {user_id: '${remote_user:-$$}'}",
    "event: {user_id: 5}",
    "event: {user_id: null}",
    "event: {request: {headers: $headers}}",
    "event: {request: {headers: {X-A: 5, X-B: null}}}",
    "event: {request: {headers: null}}",
    "event: {metadata: null}",
    "event: {metadata: {a: 1.5, b: [1, {c: d}], e: true, f: null}}",
    "event: {metadata: $all}",
    "event: {tags: a}",
    "event: {tags: [a, b]}",
    "event: {span: {a: b}}",
    "event: {request: {body: {a: $status}}}",
    "event: {request: {body: [1, 2]}}",
    "event: {response: {status: 200}}",
    "event: {response: {status: $status}}",
    "event: {response: {status: $upstream_status}}",
    "event: {weight: 5}",
    "event: {direction: Outgoing}",
    "event: {transaction_id: $request_id}",
    "event: {transaction_id: null}",
    "event: {request: {uri: '/x'}}",
    "event: {request: {verb: POST}}",
    "event: {request: {ip_address: 192.0.2.1}}",
    "event: {request: {ip_address: null}}",
    "event: {response: {ip_address: null}}",
    "event: {request: {api_version: 1.5}}",
    "defaults: {scheme: https, host: 5}",
    "trusted_proxies: private",
    "trusted_proxies: [private, '2001:db8::/32', 192.0.2.1]",
    "extends: default",
    "extends: ./x.yml",
    "rules: []",
    "rules: [{name: 5, drop: true}]",
    'rules: [{drop: "true"}]',
    "rules: [{if: {status: 404}, drop: true}]",
    "rules: [{if: {status: '404'}, drop: true}]",
    "rules: [{if: {status: {not: [404, 5xx]}}, drop: true}]",
    "rules: [{if: {status: {not: {min: 400}}}, drop: true}]",
    "rules: [{if: {status: {not: [{min: 400}, 200]}}, drop: true}]",
    "rules: [{if: {status: [[404, 405]]}, drop: true}]",
    "rules: [{if: {status: {in: [404, 500]}}, drop: true}]",
    "rules: [{if: {status: {in: 404}}, drop: true}]",
    "rules: [{if: {status: {matches: '^4'}}, drop: true}]",
    "rules: [{if: {path: {in: [/a, /b]}}, drop: true}]",
    "rules: [{if: {path: {in: /a}}, drop: true}]",
    "rules: [{if: {host: {in: [a.example, b.example]}}, drop: true}]",
    "rules: [{if: {path: '/*'}, drop: true}]",
    "rules: [{if: {client_ip: {in: private}}, drop: true}]",
    "rules: [{if: {client_ip: 192.0.2.1}, drop: true}]",
    "rules: [{if: {client_ip: {not: 192.0.2.1}}, drop: true}]",
    "rules: [{if: {client_ip: {in: ['::1', 10.0.0.0/8]}}, drop: true}]",
    "rules: [{if: {remote_addr: 192.0.2.1}, drop: true}]",
    "rules: [{if: {remote_addr: {in: 10.0.0.0/8}}, drop: true}]",
    "rules: [{if: {remote_host: web-1}, drop: true}]",
    "rules: [{if: {upstream_addr: '192.0.2.1:80'}, drop: true}]",
    "rules: [{if: {upstream_status: 502}, drop: true}]",
    "rules: [{if: {duration: {min: 1, max: 2s}}, drop: true}]",
    "rules: [{if: {duration: {min: '1 s'}}, drop: true}]",
    "rules: [{if: {duration: 0}, drop: true}]",
    "rules: [{if: {duration: 0.5}, drop: true}]",
    "rules: [{if: {response_bytes: {min: 10kB}}, drop: true}]",
    "rules: [{if: {response_bytes: {min: 10KiB}}, drop: true}]",
    "rules: [{if: {response_bytes: 1e3}, drop: true}]",
    "rules: [{if: {method: GET}, drop: true}]",
    "rules: [{if: {method: [GET, POST]}, drop: true}]",
    "rules: [{if: {method: {not: GET}}, drop: true}]",
    "rules: [{if: {method: {in: [GET, POST]}}, drop: true}]",
    'rules: [{if: {method: {absent: "true"}}, drop: true}]',
    "rules: [{if: {query: {absent: true}}, drop: true}]",
    "rules: [{if: {scheme: {in: [http]}}, drop: true}]",
    "rules: [{if: {arg_page: 5}, drop: true}]",
    "rules: [{if: {cookie_x: {matches: x}}, drop: true}]",
    "rules: [{if: {request_uri: '/x?y'}, drop: true}]",
    "rules: [{if: {target: '/x?y'}, drop: true}]",
    "rules: [{if: {user_agent: x}, drop: true}]",
    "rules: [{if: {http_user_agent: {matches: bot}}, drop: true}]",
    "rules: [{if: {path: {matches: '^/(?P<a>x)'}}, set: {company_id: $a}}]",
    "rules: [{if: {path: {matches: '^/(?:x)'}}, drop: true}]",
    "rules: [{if: {path: {matches: '[(?=]'}}, drop: true}]",
    "rules: [{sample: 1/20}]",
    "rules: [{sample: 10%}]",
    "rules: [{sample: 10 %}]",
    "rules: [{sample: 1 / 20}]",
    "rules: [{sample: 100%}]",
    "rules: [{sample: 0.5%}]",
    "rules: [{set: {company_id: x}}]",
    "rules: [{set: {request.headers.X: x}}]",
    "rules: [{set: {request: {headers: {X: y}}}}]",
    "rules: [{set: {metadata: {a: {b: $status}}}}]",
    "rules: [{set: {metadata.a.b: 1}}]",
    "rules: [{set: {user_id: null}}]",
    "rules: [{set: {tags: [a]}}]",
    "rules: [{keep: true, set: {user_id: x}}]",
    "redact: {query: token}",
    "redact: {query: [token, 5]}",
    "redact: {query: {keep: page}}",
    "redact: {query: {keep: [page]}}",
    "redact: {body: password, ip: keep}",
    "redact: {hash: user_id, key: 5}",
    "redact: {hash: [request.headers.X], key: k}",
    "redact: {path: '/a/(b)'}",
    "redact: {ip: hash, key: k}",
    "lookups: {a: {from: $host, table: {x: 1, y: true}}}",
    "lookups: {a: {from: $host, table: {x: 1}, default: 5}}",
    "lookups: {a: {from: 'x-$host', table: {}}}",
    "lookups: {a: {from: '${host|lower}', table: {}}}",
    "jwt: {from: $http_authorization, claims: {a: b, c: 5}}",
    "jwt: null",
    "max_body_bytes: 100",
    'max_body_bytes: "100"',
    "max_body_bytes: 10kB",
    "max_body_bytes: null",
    "examples: [{line: x}]",
    "examples: [{line: x, event: dropped}]",
    "examples: [{line: x, format: combined, fields: {a: 1}, event: {request: {verb: GET}}, name: 1}]",
    "examples: [{line: x, format: {nginx: '$status'}}]",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_the_tool_takes_is_not_underlined(text: str) -> None:
    assert not [one for one in mapping(text).warnings if one.location[:1] == ("event",)]
    assert marks(text) == []


NEEDS_MORE = {  # than the file has: why an editor can't know
    "the pattern's syntax": [
        "rules: [{if: {path: {matches: '('}}, drop: true}]",
        "redact: {path: ['[']}",
        "rules: [{if: {host: {in: 300.1.1.1}}, drop: true}]",
    ],
    "the fields of the log": [
        "rules: [{if: {pth: x}, drop: true}]",
        "event: {user_id: $remote_usr}",
        "trusted_proxies: [private]",
        "{}",
    ],
    "the mapping that is extended": [
        "redact: {hash: [user_id]}",
        "redact: {ip: hash}",
        "redact: {key: k}",
        "redact: {headers: [X-Api-Key]}",
        "redact: {hash: [company_id], key: k}",
        "redact: {body: [pin]}",
        "client_ip_header: X-Real-IP",
    ],
    "two places at once": [
        "rules: [{name: a, drop: true}, {name: b, keep: true}]",
        "rules: [{if: {status: 4xx}, drop: true}, {name: b, if: {status: [404, 410]}, keep: true}]",
        "rules: [{name: a, keep: true}, {name: b, if: {status: 200}, drop: true}]",
        "rules: [{name: a, sample: 10%}, {name: b, if: {path: /}, sample: 50%}]",
        "lookups: {a: {from: $b, table: {}}, b: {from: $host, table: {}}}",
        "lookups: {a: {from: $a, table: {}}}",
        "rules: [{name: a, if: {path: /x}, drop: true}, {name: a, if: {path: /y}, drop: true}]",
        "rules: [{name: s, sample: 10%}, {name: e, if: {status: 5xx}, keep: true}]",
        "lookups: {company: {from: $host, table: {a: b}}}",
        "jwt: {from: $path, claims: {who: sub}}",
        "defaults: {hosst: a.example}",
        "{jwt: {from: $path, claims: {a: x}}, lookups: {a: {from: $path, table: {}}}}",
    ],
    "the table's file": ["lookups: {a: {from: $path, table: t.csv}}"],
}
TOLD = dict.fromkeys(row[0] for row in (*test_spec.MISTAKES, *test_spec.DOUBTFUL, *test_language.MISTAKES))


@pytest.mark.parametrize("text", TOLD)
def test_what_the_tool_tells_is_underlined_where_the_file_alone_shows_it(text: str) -> None:
    needs_more = any(text in texts for texts in NEEDS_MORE.values())
    assert bool(marks(text)) is not needs_more


def test_each_of_what_an_editor_cannot_know_is_told_by_the_tool() -> None:
    assert {text for texts in NEEDS_MORE.values() for text in texts} <= TOLD.keys()
    assert converter("{}").warnings
