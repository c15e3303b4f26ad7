"""What the kernel knows of texts without asking Python is what Python says of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.formats.meaning import ONLY_IF, _is_peer, _is_user
from logship.kernel.program import NONE, Function, Instruction, Known, Op
from logship.mapping.proxies import Networks
from logship.mapping.values import address
from tests.kernel.test_native import FIELD, MADE, events, program, run

NETWORKS = Networks(["private", "0.0.0.0/30", "203.0.113.7", "2001:db8::/32"])
GROUPS = st.sampled_from(["0", "1", "f", "a0", "db8", "ffff", "00", "12345", "F", "g", ""])
OCTETS = st.one_of(st.integers(0, 256).map(str), st.sampled_from(["00", "01", "", "0x1", "٣"]))
ADDRESSES = st.one_of(
    st.lists(OCTETS, min_size=3, max_size=5).map(".".join),
    st.lists(GROUPS, min_size=1, max_size=9).map(":".join),
    st.ip_addresses().map(str),
    st.ip_addresses(v=4).map(lambda one: f"::ffff:{one}"),
    st.sampled_from(
        [
            "0.25",
            "12345678901.5",
            "2ms",
            "10.0.0.1",
            "172.31.255.255",
            "192.169.0.0",
            "2001:db8::1",
            "1:2:3:4:5:6::",
            "::1",
            "[::1]:80",
        ]
    ),
)
NAMES = st.text("aZ09.-: _/é", max_size=6)
REAL: dict[Known, tuple[Callable[[str], str | None], tuple[str, ...]]] = {
    Known.ADDRESS: (address, ()),
    Known.PEER: (lambda text: text if _is_peer(text) else None, ()),
    Known.USER: (lambda text: text if _is_user(text) else None, ()),
    Known.FRACTION: (lambda text: text if ONLY_IF["fraction"].holds(text) else None, ()),
    Known.AMONG: (lambda text: "1" if NETWORKS(address(text)) else "", NETWORKS.ranges),
}


def outcome(known: Known, call: Callable[[str], str | None], names: tuple[str, ...], text: str) -> str | None:
    """What a program's event says of the text; None where the line is handed back."""
    function = Function("known", call, known, names=names)
    one = program(Instruction(Op.CALL, MADE, 0, FIELD, NONE), Instruction(Op.TEXT, MADE), functions=(function,))
    found = [json.loads(b'"%b"' % event) for event in events(run(one, text.encode()))]
    return found[0] if found else None


@pytest.mark.parametrize("known", REAL)
@given(text=st.one_of(ADDRESSES, NAMES, st.tuples(NAMES, ADDRESSES).map(" ".join)))
def test_what_it_knows_of_a_text_is_what_python_says(known: Known, text: str) -> None:
    call, names = REAL[known]
    if text not in ("", "-"):
        assert outcome(known, call, names, text) == call(text)


@pytest.mark.parametrize(
    ("known", "text", "said"),
    [(Known.ADDRESS, "203.0.113.7", "203.0.113.7"), (Known.ADDRESS, "2001:db8:0:a::1", None),
     (Known.ADDRESS, "2001:db8:5c:fe01:1a2b:3c4d:5e6f:7788", "2001:db8:5c:fe01:1a2b:3c4d:5e6f:7788"),
     (Known.ADDRESS, "2001:db8::7", "2001:db8::7"), (Known.PEER, "crawler-7.example", "crawler-7.example"),
     (Known.USER, "anna@shop.example", "anna@shop.example"), (Known.USER, "anna b", None),
     (Known.FRACTION, "0.25", "0.25"), (Known.FRACTION, "1.", None), (Known.FRACTION, "12345678901.5", None),
     (Known.AMONG, "10.255.255.255", "1"), (Known.AMONG, "11.0.0.0", ""), (Known.AMONG, "0.0.0.0", ""),
     (Known.AMONG, "0.0.0.1", "1")],
)  # fmt: skip
def test_ordinary_texts_are_known(known: Known, text: str, said: str | None) -> None:
    """None: Python is asked."""
    assert outcome(known, lambda text: None, REAL[known][1], text) == said
