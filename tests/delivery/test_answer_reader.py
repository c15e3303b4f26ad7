"""What came off a connection: a whole answer, however it is framed, or none: cut at every byte, broken in its head."""

from __future__ import annotations

import http.client
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logship.delivery.http.answer_reader import (
    MAX_ANSWER_BYTES,
    MAX_HEAD_BYTES,
    MAX_INTERIM,
    ReadAnswer,
    read_answer,
    read_tunnel_answer,
)

WHOLE = {
    "with a length": b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    "without a body": b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n{" + b'"a":\r\n02\r\n1}\r\n0\r\n\r\n',
    "without a reason": b"HTTP/1.1 201\r\nContent-Length: 0\r\n\r\n",
    "with bare line feeds": b"HTTP/1.1 201 Created\nContent-Length: 2\n\n{}",
    "with an empty header": b"HTTP/1.1 201 Created\r\nX-Empty:\r\nContent-Length:2 \r\n\r\n{}",
    "with a folded header": b"HTTP/1.1 201 Created\r\nX-Long: a\r\n  b\r\nContent-Length: 2\r\n\r\n{}",
    "behind interim answers": b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n"
    b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}",
}
BROKEN = {
    "a length of letters": b"HTTP/1.1 201 Created\r\nContent-Length: two\r\n\r\n{}",
    "a length with letters": b"HTTP/1.1 201 Created\r\nContent-Length: 2x\r\n\r\n{}",
    "an empty length": b"HTTP/1.1 201 Created\r\nContent-Length: \r\n\r\n",
    "a negative length": b"HTTP/1.1 201 Created\r\nContent-Length: -2\r\n\r\n{}",
    "a signed length": b"HTTP/1.1 201 Created\r\nContent-Length: +2\r\n\r\n{}",
    "a broken number": b"HTTP/1.1 201 Created\r\nContent-Length: 2.0\r\n\r\n{}",
    "a hexadecimal length": b"HTTP/1.1 201 Created\r\nContent-Length: 0x2\r\n\r\n{}",
    "a length of foreign digits": "HTTP/1.1 201 Created\r\nContent-Length: \N{SUPERSCRIPT TWO}\r\n\r\n{}".encode(
        "latin-1"
    ),
    "two lengths": b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "the same length twice": b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\n{}",
    "two lengths in one header": b"HTTP/1.1 201 Created\r\nContent-Length: 2, 3\r\n\r\n{}",
    "a folded length": b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n 3\r\n\r\n{}",
    "a broken length where no body is": b"HTTP/1.1 204 No Content\r\nContent-Length: none\r\n\r\n",
    "a length and chunks": b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a chunk of letters": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzwei\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 Created\r\nContent-Length: 0\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2010 Created\r\nContent-Length: 0\r\n\r\n",
    "a status of letters": b"HTTP/1.1 2O1 Created\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "another version": b"HTTP/2 201 Created\r\nContent-Length: 0\r\n\r\n",
    "no version": b"201 Created\r\nContent-Length: 0\r\n\r\n",
    "a header without a colon": b"HTTP/1.1 201 Created\r\nContent-Length 0\r\n\r\n",
    "a blank before the colon": b"HTTP/1.1 201 Created\r\nContent-Length : 0\r\n\r\n",
    "a header without a name": b"HTTP/1.1 201 Created\r\n: 0\r\n\r\n",
    "a carriage return alone": b"HTTP/1.1 201 Created\r\nX: a\rContent-Length: 9\r\n\r\n",
    "a NUL": b"HTTP/1.1 201 Created\r\nX: a\0\r\nContent-Length: 0\r\n\r\n",
    "a fold before any header": b"HTTP/1.1 201 Created\r\n folded\r\nContent-Length: 0\r\n\r\n",
    "a broken interim head": b"HTTP/1.1 103 Early\r\nLink\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
    "TLS": b"\x15\x03\x01\r\n\r\n",
    "a head without end": b"HTTP/1.1 201 Created\r\n" + b"X: y\r\n" * (MAX_HEAD_BYTES // 5),
    "interim answers without end": b"HTTP/1.1 102 Processing\r\n\r\n" * (MAX_INTERIM + 1),
}


def coming(data: bytes, sizes: Callable[[], int] = lambda: 65_536) -> Callable[[], bytes]:
    """`data` in pieces, then the connection's end."""
    left = [data]

    def receive() -> bytes:
        size = sizes()
        part, left[0] = left[0][:size], left[0][size:]
        return part

    return receive


def resetting(data: bytes) -> Callable[[], bytes]:
    """`data`, then a reset."""
    receive = coming(data)

    def reset() -> bytes:
        if not (part := receive()):
            raise ConnectionResetError("Connection reset by peer")
        return part

    return reset


@pytest.mark.parametrize("name", WHOLE)
@given(data=st.data())
def test_a_whole_answer_is_read_in_whatever_pieces_it_comes(name: str, data: st.DataObject) -> None:
    answer = read_answer(coming(WHOLE[name], lambda: data.draw(st.integers(1, 30))))
    assert answer.status in (200, 201, 204)
    assert answer.data in (b"", b"{}", b'{"a":1}')
    assert not answer.is_last


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_that_is_cut_at_any_byte_is_none(name: str) -> None:
    whole = WHOLE[name]
    for end in range(len(whole)):
        if name == "chunked" and end >= whole.index(b"\r\n0\r\n") + 5:
            continue  # its last chunk has begun: the body is whole
        with pytest.raises((http.client.RemoteDisconnected, http.client.IncompleteRead)):
            read_answer(coming(whole[:end]))


NO = {
    "with a length": b"HTTP/1.1 %d X\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\nso be it!",
    "until the end": b"HTTP/1.0 %d X\r\nRetry-After: 7\r\n\r\nso be it!",
    "chunked": b"HTTP/1.1 %d X\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nso be it!\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", NO)
@pytest.mark.parametrize("status", [302, 401, 407, 413, 429, 500, 503])
def test_a_no_about_the_way_counts_once_its_head_is_whole_however_the_connection_ends(name: str, status: int) -> None:
    whole = NO[name] % status
    for end in range(whole.index(b"\r\n\r\n") + 4, len(whole)):
        answer = read_answer(resetting(whole[:end]))
        assert (answer.status, answer.headers["retry-after"], answer.is_last) == (status, "7", True)
    for end in range(whole.index(b"\r\n\r\n") + 3):
        with pytest.raises((http.client.HTTPException, ConnectionResetError)):
            read_answer(resetting(whole[:end]))


@pytest.mark.parametrize("name", NO)
@pytest.mark.parametrize("status", [200, 201, 400, 415, 422])
def test_what_settles_events_counts_only_whole(name: str, status: int) -> None:
    whole = NO[name] % status
    for end in range(len(whole) - len("0\r\n\r\n")):
        with pytest.raises((http.client.HTTPException, ConnectionResetError)):
            read_answer(resetting(whole[:end]))


@pytest.mark.parametrize("name", BROKEN)
def test_an_answer_that_can_not_be_framed_is_none(name: str) -> None:
    with pytest.raises(http.client.HTTPException) as caught:
        read_answer(coming(BROKEN[name]))
    assert not isinstance(caught.value, (http.client.RemoteDisconnected, http.client.IncompleteRead))


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "behind interim answers"])
def test_what_comes_behind_an_answer_ends_its_connection(name: str) -> None:
    """A server that writes another answer while it closes: nobody asked for it, and nobody may take it for his."""
    surplus = WHOLE[name] + b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    answer = read_answer(coming(surplus))
    assert answer.status in (200, 201, 204)
    assert answer.is_last


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 201 X\r\nConnection: close\r\n", b"HTTP/1.0 201 X\r\n", b"HTTP/1.1 201 X\r\nConnection: x, Close\r\n"],
)
def test_a_connection_that_the_server_ends_is_not_used_again(head: bytes) -> None:
    assert read_answer(coming(head + b"Content-Length: 0\r\n\r\n")).is_last


def test_a_body_without_a_length_lasts_until_the_connection_ends() -> None:
    answer = read_answer(coming(b"HTTP/1.1 400 Bad\r\n\r\nwhy", lambda: 5))
    assert (answer.data, answer.is_last) == (b"why", True)


@pytest.mark.parametrize("framing", ["length", "chunks", "end"])
def test_no_more_of_a_body_is_read_than_anybody_needs(framing: str) -> None:
    size = 10 * MAX_ANSWER_BYTES
    head = {
        "length": b"Content-Length: %d\r\n\r\n" % size,
        "chunks": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size,
        "end": b"\r\n",
    }[framing]
    answer = read_answer(coming(b"HTTP/1.1 201 X\r\n" + head + b"x" * size))
    assert (len(answer.data), answer.is_last) == (MAX_ANSWER_BYTES, True)


def test_names_of_headers_are_lower_case_and_repeated_ones_are_joined() -> None:
    answer = read_answer(coming(b"HTTP/1.1 200 X\r\nA: 1\r\nB:\r\na: 2\r\nContent-Length: 0\r\n\r\n"))
    assert answer.headers == {"a": "1, 2", "b": "", "content-length": "0"}


def test_answers_with_the_same_head_are_answers_of_their_own() -> None:
    text = b"HTTP/1.1 200 X\r\nContent-Length: 1\r\n\r\n"
    one, other = (read_answer(coming(text + body)) for body in (b"a", b"b"))
    one.headers["a"] = "1"
    assert (one.data, other.data, other.headers) == (b"a", b"b", {"content-length": "1"})


@given(st.binary(max_size=200), st.sampled_from([b"", *WHOLE.values(), *BROKEN.values()]), st.integers(0, 300))
def test_no_bytes_make_it_fail_in_another_way(noise: bytes, answer: bytes, place: int) -> None:
    try:
        read = read_answer(coming(answer[:place] + noise + answer[place:]))
    except http.client.HTTPException:
        return
    assert isinstance(read, ReadAnswer)
    assert read.status >= 200


@pytest.mark.parametrize("end", range(len(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n")))
def test_half_a_word_of_a_proxy_opens_no_tunnel(end: int) -> None:
    with pytest.raises(http.client.HTTPException):
        read_tunnel_answer(coming(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"[:end]))


def test_a_proxy_that_speaks_before_the_tunnel_is_used_opens_none() -> None:
    with pytest.raises(http.client.HTTPException):
        read_tunnel_answer(coming(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 201 Created\r\n\r\n"))
    assert read_tunnel_answer(coming(b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno")).status == 407
