"""The driver of all conversations: what left, what came back, who acts next, and that no secret goes along.

Unit rows run over httpx's own stand-in transport; everything about connections runs over real sockets on
loopback against a peer that misbehaves on purpose.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import struct
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, quote_plus

import aiohttp
import httpx
import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.remote import (
    Conversation,
    Denied,
    Outcome,
    Rejected,
    RemoteError,
    Reply,
    Request,
    Secret,
    Unanswered,
    Unavailable,
    Unreadable,
)
from monitor.net import CallRecord, Net, Timeouts, sketch

T = TypeVar("T")
URL = "https://carrier.example/track"
AT_ONCE = Timeouts(backoff=timedelta(0))
IMPATIENT = Timeouts(read=timedelta(milliseconds=60), total=timedelta(milliseconds=500), backoff=timedelta(0))

QUESTION = Request("GET", URL)
SEND = Request("POST", URL, content=b"{}", repeatable=False)


def once(request: Request) -> Conversation[Reply]:
    """The shortest conversation: one question, its answer as it is."""
    return (yield request)


def talk(conversation: Conversation[T], transport: httpx.AsyncBaseTransport, **how: Any) -> T:
    """Hold one conversation over a stand-in transport."""

    async def held() -> T:
        net = Net(transport=transport, timeout=AT_ONCE)
        try:
            return await net.converse(conversation, account="acme", **how)
        finally:
            await net.close()

    return asyncio.run(held())


def saying(*answers: httpx.Response | Exception) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """A service that gives these answers in turn, the last one for ever; and what it heard."""
    heard: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        said = answers[min(len(heard), len(answers)) - 1]
        if isinstance(said, Exception):
            raise said
        return said

    return httpx.MockTransport(answer), heard


# --- what left, and who acts next ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "request_", "raised", "outcome", "asked"),
    [
        pytest.param(
            httpx.ConnectError("no"), QUESTION, Unavailable, Outcome.LATER, 3, id="question, no connection"
        ),
        pytest.param(
            httpx.ConnectTimeout("no"), QUESTION, Unavailable, Outcome.LATER, 3, id="question, dial too long"
        ),
        pytest.param(
            httpx.ReadTimeout("no"), QUESTION, Unavailable, Outcome.LATER, 3, id="question, no answer"
        ),
        pytest.param(httpx.ReadError("no"), QUESTION, Unavailable, Outcome.LATER, 3, id="question, reset"),
        pytest.param(
            httpx.RemoteProtocolError("no"), QUESTION, Unavailable, Outcome.LATER, 3, id="question, hung up"
        ),
        pytest.param(httpx.ConnectError("no"), SEND, Unavailable, Outcome.LATER, 1, id="send, no connection"),
        pytest.param(
            httpx.ConnectTimeout("no"), SEND, Unavailable, Outcome.LATER, 1, id="send, dial too long"
        ),
        pytest.param(httpx.ReadTimeout("no"), SEND, Unanswered, Outcome.UNKNOWN, 1, id="send, no answer"),
        pytest.param(httpx.ReadError("no"), SEND, Unanswered, Outcome.UNKNOWN, 1, id="send, reset"),
        pytest.param(
            httpx.WriteError("no"), SEND, Unanswered, Outcome.UNKNOWN, 1, id="send, reset while writing"
        ),
        pytest.param(
            httpx.RemoteProtocolError("no"), SEND, Unanswered, Outcome.UNKNOWN, 1, id="send, hung up"
        ),
    ],
)
def test_a_fault_of_the_line_says_whether_the_request_left(
    fault: Exception, request_: Request, raised: type[RemoteError], outcome: Outcome, asked: int
) -> None:
    transport, heard = saying(fault)
    with pytest.raises(raised, match=r"carrier\.example") as caught:
        talk(once(request_), transport, tries=3)
    assert type(caught.value) is raised
    assert caught.value.outcome is outcome
    assert len(heard) == asked


def test_a_certificate_that_does_not_hold_may_hold_tomorrow() -> None:
    """A captive portal, an expired certificate: nothing left, nobody's configuration is wrong."""
    key: Any = SimpleNamespace(host="carrier.example", port=443, is_ssl=True)
    refused = aiohttp.ClientConnectorCertificateError(key, ssl.SSLCertVerificationError("self-signed"))
    transport, heard = saying(refused)
    with pytest.raises(Unavailable, match="ClientConnectorCertificateError"):
        talk(once(SEND), transport)
    assert len(heard) == 1


def test_a_question_that_is_answered_on_the_second_try_is_answered() -> None:
    transport, heard = saying(httpx.ReadError("reset"), httpx.Response(200, content=b"[]"))
    assert talk(once(QUESTION), transport).json() == []
    assert len(heard) == 2


def test_one_try_means_one_request() -> None:
    transport, heard = saying(httpx.ConnectError("no"))
    with pytest.raises(Unavailable):
        talk(once(QUESTION), transport, tries=1)
    assert len(heard) == 1


@pytest.mark.parametrize("status", [200, 204, 302, 401, 404, 429, 500, 502, 503, 504])
def test_a_status_is_for_the_adapter_to_read(status: int) -> None:
    with respx.mock(assert_all_called=True) as router:
        router.get(URL).respond(
            status, headers={"Retry-After": "7", "Location": "https://elsewhere.example/"}
        )
        reply = talk(once(QUESTION), httpx.MockTransport(router.async_handler))
    assert (reply.status, reply.headers["retry-after"]) == (status, "7")


def test_an_adapter_that_reads_busy_is_not_asked_again_here() -> None:
    """The poll loop reschedules: else the tries of two loops multiply."""
    transport, heard = saying(httpx.Response(502, content=b"busy"))

    def reading() -> Conversation[None]:
        reply = yield QUESTION
        raise Unavailable(f"HTTP {reply.status}")

    with pytest.raises(Unavailable, match="HTTP 502") as caught:
        talk(reading(), transport)
    assert len(heard) == 1
    assert caught.value.reply is not None
    assert caught.value.reply.content == b"busy", "what could not be used is the next sample"


def test_a_conversation_of_several_requests_is_sent_each_answer_in_turn() -> None:
    transport, heard = saying(
        httpx.Response(200, text="t0"), httpx.Response(200, text="p1"), httpx.Response(200, text="p2")
    )

    def asking() -> Conversation[list[bytes]]:
        token = (yield Request("POST", URL, {"step": "token"})).content.decode()
        first = yield Request("GET", URL, {"step": "1"}, {"X-Token": token})
        second = yield Request("GET", URL, {"step": "2"}, {"X-Token": token})
        return [first.content, second.content]

    assert talk(asking(), transport) == [b"p1", b"p2"]
    assert [request.url.params["step"] for request in heard] == ["token", "1", "2"]
    assert heard[2].headers["x-token"] == "t0"


def test_a_conversation_may_know_another_way_when_a_call_fails() -> None:
    transport, heard = saying(httpx.ReadTimeout("no"), httpx.Response(200, content=b"spare"))

    def stubborn() -> Conversation[bytes]:
        try:
            return (yield SEND).content
        except Unanswered:
            return (yield Request("GET", "https://spare.example/")).content

    assert talk(stubborn(), transport) == b"spare"
    assert [request.url.host for request in heard] == ["carrier.example", "spare.example"]


def test_a_service_with_always_one_more_page_does_not_keep_us_for_ever() -> None:
    transport, heard = saying(httpx.Response(200))

    def endless() -> Conversation[None]:
        while True:
            yield QUESTION

    with pytest.raises(Unreadable):
        talk(endless(), transport)
    assert len(heard) == 200


def test_what_an_adapter_trips_over_is_unreadable_and_shows_its_kind_and_place_only() -> None:
    transport, _ = saying(httpx.Response(200, json={"name": "张三"}))

    def tripping() -> Conversation[str]:
        reply = yield QUESTION
        return {"李四": 1}[reply.json()["name"]]  # type: ignore[return-value]

    with pytest.raises(Unreadable, match=r"KeyError @ test_net\.py:\d+") as caught:
        talk(tripping(), transport)
    assert "张三" not in "".join(traceback.format_exception(caught.value)).replace('{"李四"', "")
    assert caught.value.reply is not None
    assert caught.value.reply.json() == {"name": "张三"}


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(Request("GET", "htp:/nowhere"), id="no such scheme"),
        pytest.param(Request("GET", "https://[::bad/"), id="no such host"),
        pytest.param(
            Request("GET", URL, headers={"Authorization": "Bearer 中文"}), id="a header that cannot be sent"
        ),
    ],
)
def test_an_address_that_cannot_be_used_is_for_its_owner_to_mend(request_: Request) -> None:
    async def held() -> None:
        net = Net(timeout=AT_ONCE)
        try:
            await net.converse(once(request_), account="acme")
        finally:
            await net.close()

    with pytest.raises(Denied, match="配置"):
        asyncio.run(held())


@pytest.mark.parametrize(
    ("url", "query", "leaves"),
    [
        pytest.param(URL, {}, URL, id="nothing added"),
        pytest.param(f"{URL}?access_token=T", {}, f"{URL}?access_token=T", id="a pasted query stays"),
        pytest.param(
            f"{URL}?access_token=T",
            {"sign": "a+b/c="},
            f"{URL}?access_token=T&sign=a%2Bb%2Fc%3D",
            id="and is added to",
        ),
    ],
)
def test_the_query_is_the_urls_own_and_ours_encoded_once(
    url: str, query: dict[str, str], leaves: str
) -> None:
    transport, heard = saying(httpx.Response(200))
    talk(once(Request("POST", url, query)), transport)
    assert str(heard[0].url) == leaves


# --- lanes and records ---------------------------------------------------------------------------


class Crowd:
    """A service that counts how many it answers at once."""

    def __init__(self) -> None:
        self.inside = self.most = 0

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.inside += 1
        self.most = max(self.most, self.inside)
        for _ in range(5):
            await asyncio.sleep(0)
        self.inside -= 1
        return httpx.Response(200)


def test_an_account_never_asks_more_at_once_than_its_lanes() -> None:
    async def storm(lanes: int, accounts: list[str]) -> int:
        crowd = Crowd()
        net = Net(transport=httpx.MockTransport(crowd.answer))
        await asyncio.gather(
            *(net.converse(once(QUESTION), account=name, lanes=lanes) for name in accounts for _ in range(20))
        )
        await net.close()
        return crowd.most

    assert asyncio.run(storm(3, ["acme"])) == 3
    assert asyncio.run(storm(3, ["acme", "other"])) == 6, "accounts do not wait for each other"


def test_lanes_follow_the_configuration_when_it_is_reloaded() -> None:
    async def storm() -> list[int]:
        crowd = Crowd()
        net = Net(transport=httpx.MockTransport(crowd.answer))
        seen = []
        for lanes in (2, 5, 1):
            crowd.most = 0
            await asyncio.gather(*(net.converse(once(QUESTION), account="a", lanes=lanes) for _ in range(20)))
            seen.append(crowd.most)
        await net.close()
        return seen

    assert asyncio.run(storm()) == [2, 5, 1]


def test_every_try_is_reported() -> None:
    transport, _ = saying(
        httpx.ReadError("reset"),
        httpx.Response(429, content=b"slow", headers={"Date": "Sun, 22 Nov 2026 08:00:00 GMT"}),
    )
    calls: list[CallRecord] = []

    async def held() -> None:
        net = Net(transport=transport, timeout=AT_ONCE, on_call=calls.append)
        await net.converse(once(Request("POST", f"{URL}?key=hidden", content=b"12345")), account="acme")
        await net.close()

    asyncio.run(held())
    assert [(call.account, call.host, call.status, call.outcome) for call in calls] == [
        ("acme", "carrier.example", None, "Unavailable"),
        ("acme", "carrier.example", 429, "ok"),
    ]
    assert [(call.sent, call.received) for call in calls] == [(5, 0), (5, 4)]
    assert calls[1].date == "Sun, 22 Nov 2026 08:00:00 GMT"
    assert all(call.took >= timedelta(0) for call in calls)
    assert "hidden" not in repr(calls)


# --- real connections to a peer that misbehaves ----------------------------------------------------

BOMB = gzip.compress(b"0" * 40_000_000)

Behaviour = Callable[["Peer"], None]


def answer(
    body: bytes = b"{}", head: str = "", status: str = "200 OK", length: int | None = None
) -> Behaviour:
    """Answer properly, or nearly: with another length than the body has."""
    said = len(body) if length is None else length
    text = f"HTTP/1.1 {status}\r\nContent-Length: {said}\r\n{head}\r\n".encode() + body

    def behave(peer: Peer) -> None:
        peer.line.write(text)
        if said > len(body):
            peer.line.close()

    return behave


def hang(peer: Peer) -> None:
    """Say nothing and keep the line."""


def hang_up(peer: Peer) -> None:
    """Close without a word, as a peer does with a connection that it had given up."""
    peer.line.close()


def reset(peer: Peer) -> None:
    """RST instead of FIN: the process died."""
    peer.line.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    peer.line.abort()


def drip(peer: Peer) -> None:
    """A byte now and then, for ever: no pause is long enough for the read time-out."""
    if not peer.line.is_closing():
        peer.line.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" if not peer.begun else b".")
        peer.begun = True
        asyncio.get_running_loop().call_later(0.01, drip, peer)


def pour(peer: Peer) -> None:
    """An answer without an end, as fast as it is taken."""
    if not peer.begun:
        peer.begun = True
        peer.line.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
    if peer.line.get_write_buffer_size() < 1_000_000:
        peer.line.write(b"x" * 500_000)
    if not peer.line.is_closing():
        asyncio.get_running_loop().call_soon(pour, peer)


def raw(text: bytes) -> Behaviour:
    """Anything at all, then the end."""

    def behave(peer: Peer) -> None:
        peer.line.write(text)
        peer.line.close()

    return behave


class Peer(asyncio.Protocol):
    """One accepted connection."""

    def __init__(self, town: Town) -> None:
        self.town, self.heard, self.begun = town, b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.line = transport
        self.town.lines.append(transport)

    def data_received(self, data: bytes) -> None:
        self.heard += data
        head, end, body = self.heard.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        if end and len(body) >= int(fields.get(b"content-length", 0)):
            self.heard = b""
            self.town.requests.append(head + end + body)
            self.town.behave(self)


class Town:
    """A listening address, what it heard, and how it behaves."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.requests: list[bytes] = []
        self.lines: list[asyncio.Transport] = []
        self.url = ""


@asynccontextmanager
async def town(behave: Behaviour) -> AsyncIterator[Town]:
    place = Town(behave)
    server = await asyncio.get_running_loop().create_server(lambda: Peer(place), "127.0.0.1", 0)
    place.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield place
    finally:
        server.close()
        for line in place.lines:
            line.abort()
        await server.wait_closed()


def over_the_wire(
    behave: Behaviour, visit: Callable[[Net, Town], Coroutine[Any, Any, T]], timeout: Timeouts = AT_ONCE
) -> tuple[T, Town]:
    """Run `visit` against a town that behaves so; give back what it returned, and the town."""

    async def held() -> tuple[T, Town]:
        async with town(behave) as place:
            net = Net(timeout=timeout)
            try:
                return await visit(net, place), place
            finally:
                await net.close()

    return asyncio.run(held())


def ask(net: Net, place: Town, **fields: Any) -> Coroutine[Any, Any, Reply]:
    return net.converse(once(Request("POST", f"{place.url}/x?access_token=hush", **fields)), account="acme")


async def refused(net: Net, place: Town, **fields: Any) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        await ask(net, place, **fields)
    return caught.value


@pytest.mark.parametrize(
    ("behave", "repeatable", "raised", "asked"),
    [
        pytest.param(reset, True, Unavailable, 3, id="question-reset"),
        pytest.param(hang_up, True, Unavailable, 3, id="question-closed"),
        pytest.param(hang, True, Unavailable, 1, id="question-hang: it may have been counted"),
        pytest.param(reset, False, Unanswered, 1, id="send-reset"),
        pytest.param(hang_up, False, Unanswered, 1, id="send-closed"),
        pytest.param(hang, False, Unanswered, 1, id="send-hang"),
    ],
)
def test_a_request_that_left_and_was_not_answered(
    behave: Behaviour, repeatable: bool, raised: type[RemoteError], asked: int
) -> None:
    """The transport calls these "could not connect"; a send taken for that would be said twice."""
    error, place = over_the_wire(behave, lambda net, at: refused(net, at, repeatable=repeatable), IMPATIENT)
    assert type(error) is raised
    assert len(place.requests) == asked


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(reset, id="reset"),
        pytest.param(hang_up, id="closed"),
        pytest.param(answer(b'{"data":[]}', length=100), id="short"),
    ],
)
def test_a_service_that_counts_hears_no_question_twice(behave: Behaviour) -> None:
    """快递100 locks a number that is asked about twice within half an hour; it counted the first one."""

    async def visit(net: Net, at: Town) -> RemoteError:
        with pytest.raises(RemoteError) as caught:
            await net.converse(once(Request("POST", at.url)), account="a", counted=True)
        return caught.value

    error, place = over_the_wire(behave, visit, IMPATIENT)
    assert len(place.requests) == 1
    assert isinstance(error, Unavailable)
    assert error.lost


def test_what_never_left_is_repeated_also_where_questions_are_counted() -> None:
    tries: list[httpx.Request] = []

    def answered(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        if len(tries) < 3:
            raise httpx.ConnectError("no route")
        return httpx.Response(200)

    assert talk(once(QUESTION), httpx.MockTransport(answered), counted=True).status == 200


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_refused_connection_means_nothing_left(repeatable: bool) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = Town(hang)
        nobody.url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        async def held() -> RemoteError:
            net = Net(timeout=AT_ONCE)
            try:
                return await refused(net, nobody, repeatable=repeatable)
            finally:
                await net.close()

        error = asyncio.run(held())
    assert type(error) is Unavailable
    assert error.outcome is Outcome.LATER


def test_a_handshake_that_does_not_end_means_nothing_left() -> None:
    async def visit(net: Net, at: Town) -> RemoteError:
        with pytest.raises(RemoteError) as caught:
            await net.converse(
                once(Request("POST", at.url.replace("http", "https"), repeatable=False)), account="a"
            )
        return caught.value

    error, place = over_the_wire(hang, visit, Timeouts(connect=timedelta(milliseconds=60)))
    assert type(error) is Unavailable
    assert place.requests == []


@pytest.mark.parametrize(("repeatable", "raised"), [(True, Unavailable), (False, Unanswered)])
def test_a_body_shorter_than_announced_is_no_answer(repeatable: bool, raised: type[RemoteError]) -> None:
    behave = answer(b'{"errcode":0}', length=100)
    error, _ = over_the_wire(behave, lambda net, at: refused(net, at, repeatable=repeatable))
    assert type(error) is raised


def test_a_peer_that_drips_is_bounded_by_the_total() -> None:
    timeout = Timeouts(total=timedelta(milliseconds=300), backoff=timedelta(0))
    error, place = over_the_wire(drip, lambda net, at: refused(net, at, repeatable=False), timeout)
    assert type(error) is Unanswered
    assert len(place.requests) == 1


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(answer(b"x" * 10_000_000), id="ten megabytes"),
        pytest.param(pour, id="no end"),
        pytest.param(answer(BOMB, "Content-Encoding: gzip\r\n"), id="gzip bomb"),
        pytest.param(answer(b"not gzip", "Content-Encoding: gzip\r\n"), id="not what it says"),
        pytest.param(
            answer(gzip.compress(b"{}" * 999)[:-9], "Content-Encoding: gzip\r\n"), id="gzip cut off"
        ),
        pytest.param(
            answer(b"\x0b\x01\x80{}\x03", "Content-Encoding: br\r\n"), id="packed in a way nobody asked for"
        ),
        pytest.param(raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), id="not HTTP"),
        pytest.param(answer(b"{}", f"X: {'a' * 20_000}\r\n"), id="endless header"),
    ],
)
def test_an_answer_that_cannot_be_taken_in_is_unreadable_and_not_asked_for_again(
    behave: Behaviour, repeatable: bool
) -> None:
    error, place = over_the_wire(behave, lambda net, at: refused(net, at, repeatable=repeatable))
    assert type(error) is Unreadable
    assert len(place.requests) == 1


def test_a_gzip_bomb_never_unfolds_in_memory() -> None:
    async def measured(net: Net, at: Town) -> int:
        tracemalloc.start()
        try:
            await refused(net, at)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak, _ = over_the_wire(answer(BOMB, "Content-Encoding: gzip\r\n"), measured)
    assert peak < 10_000_000, "of the forty million bytes it would make"


@pytest.mark.parametrize("size", [0, 5, 2 * 1024 * 1024])
@pytest.mark.parametrize("packed", [False, True])
def test_answers_of_up_to_two_megabytes_are_taken_in(size: int, packed: bool) -> None:
    body = b"y" * size
    behave = answer(gzip.compress(body), "Content-Encoding: gzip\r\n") if packed else answer(body)
    reply, _ = over_the_wire(behave, ask)
    assert reply.content == body


def test_a_redirect_is_an_answer_like_any_other() -> None:
    reply, place = over_the_wire(answer(b"", "Location: /elsewhere\r\n", "302 Found"), ask)
    assert (reply.status, reply.headers["location"]) == (302, "/elsewhere")
    assert len(place.requests) == 1


def test_the_body_leaves_byte_for_byte() -> None:
    request = Request.json("http://placeholder/", {"content": "【紧急】运单 + “停滞”"})
    reply, place = over_the_wire(
        answer(), lambda net, at: ask(net, at, content=request.content, headers=request.headers)
    )
    head, _, body = place.requests[0].partition(b"\r\n\r\n")
    assert reply.status == 200
    assert body == '{"content":"【紧急】运单 + “停滞”"}'.encode()
    assert b"content-type: application/json; charset=utf-8" in head.lower().split(b"\r\n")


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=6), st.text(max_size=12), min_size=1, max_size=4))
def test_a_query_means_the_same_on_the_other_side(query: dict[str, str]) -> None:
    """aiohttp may write `/` for `%2F`; what a server reads must not change: signatures hold `+`, `/` and `=`."""

    def visit(net: Net, at: Town) -> Coroutine[Any, Any, Reply]:
        return net.converse(once(Request("GET", f"{at.url}/p", query)), account="acme")

    _, place = over_the_wire(answer(), visit)
    target = place.requests[0].split(b" ")[1].decode("ascii")
    assert dict(parse_qsl(target.partition("?")[2], keep_blank_values=True)) == query


@pytest.mark.parametrize(
    ("repeatable", "connections"),
    [
        pytest.param(True, 1, id="questions ride on one kept connection"),
        pytest.param(False, 3, id="each send dials anew, as a stale line would lose its receipt"),
    ],
)
def test_connections_are_kept_for_questions(repeatable: bool, connections: int) -> None:
    async def thrice(net: Net, at: Town) -> None:
        for _ in range(3):
            await ask(net, at, repeatable=repeatable)

    _, place = over_the_wire(answer(), thrice)
    assert len(place.requests) == 3
    assert len(place.lines) == connections


def test_a_cookie_is_not_carried_to_the_next_request() -> None:
    async def twice(net: Net, at: Town) -> None:
        for _ in range(2):
            await ask(net, at)

    _, place = over_the_wire(answer(head="Set-Cookie: visitor=7; Path=/\r\n"), twice)
    assert b"cookie" not in place.requests[1].lower()


def test_the_environments_proxy_is_not_taken_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    reply, _ = over_the_wire(answer(), ask)
    assert reply.status == 200


def test_stopping_in_the_middle_frees_the_lane() -> None:
    async def visit(net: Net, at: Town) -> Reply:
        stuck = asyncio.create_task(net.converse(once(Request("GET", at.url)), account="acme", lanes=1))
        while not at.requests:
            await asyncio.sleep(0)
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
        at.behave = answer(b"free")
        return await net.converse(once(Request("GET", at.url)), account="acme", lanes=1)

    reply, _ = over_the_wire(hang, visit)
    assert reply.content == b"free"


# --- nothing secret comes out -----------------------------------------------------------------------

TEXTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x9FFF, exclude_categories=["Cs"], exclude_characters="*")
)
SECRETS = TEXTS.filter(lambda text: len(text) >= 6).map(lambda text: f"ŝ{text}")


def shown_forms(secret: str) -> set[str]:
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}


@settings(max_examples=60, deadline=None)
@given(SECRETS, st.sampled_from(["line", "adapter refuses", "and says why", "adapter trips"]), st.booleans())
def test_no_error_tells_a_secret(secret: str, place: str, repeatable: bool) -> None:
    request = Request(
        "POST",
        f"https://bot.example/hook/{quote(secret, safe='')}",
        {"access_token": secret},
        content=secret.encode(),
        secrets=(Secret(secret),),
        repeatable=repeatable,
    )

    def telling() -> Conversation[None]:
        reply = yield request
        if place == "adapter refuses":
            raise Rejected(f"keyword {secret!r} not in content: {secret}")
        trip = ValueError(f"{reply.status} {secret}")
        if place == "and says why":
            raise Rejected("no such keyword") from trip
        raise trip

    transport, _ = saying(httpx.ReadError(f"lost {request.url}") if place == "line" else httpx.Response(200))
    with pytest.raises(RemoteError) as caught:
        talk(telling(), transport)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert not [form for form in shown_forms(secret) if form in shown]


def test_a_sketch_shows_everything_but_what_is_secret() -> None:
    request = Request.form(
        "https://poll.kuaidi100.example/poll/query.do?access_token=tok-in-url",
        {
            "customer": "CUST-9",
            "sign": "0A1B2C",
            "param": '{"com":"shunfeng","num":"SF1234567890123","phone":"5678"}',
        },
        secrets=(Secret("CUST-9"), Secret("5678")),
    )
    assert sketch(request).splitlines() == [
        "POST https://poll.kuaidi100.example/poll/query.do",
        "  access_token = ***",
        "Content-Type: application/x-www-form-urlencoded; charset=utf-8",
        "",
        "customer = ***",
        "sign = ***",
        'param = {"com":"shunfeng","num":"SF1234567890123","phone":***}',
    ]


def test_a_sketch_of_a_message_shows_its_words_but_no_phone() -> None:
    request = Request.json(
        "https://oapi.example/robot/send?access_token=abcdef",
        {"text": {"content": "中转停滞 @13800000001"}, "at": {"atMobiles": ["13800000001"]}},
        headers={"Authorization": "Bearer abcdef"},
    )
    shown = sketch(request)
    assert "中转停滞" in shown
    assert "Authorization: ***" in shown
    assert not [hidden for hidden in ("13800000001", "abcdef") if hidden in shown]
    body = json.loads(shown.split("\n\n")[1])
    assert body["at"] == {"atMobiles": ["***"]}, "what is shown can be read as the JSON it is"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("收件人电话 13812345678，" + "x" * 60, id="a phone"),
        pytest.param("<html>" + "x" * 46 + " 13812345678 </html>", id="a phone at the cut"),
        pytest.param("<p>\u200b138\u200b1234\u200b5678</p>", id="a phone in pieces"),
        pytest.param("app secret is sesame-of-acme, no more", id="a secret of the account, in no request"),
        pytest.param("x" * 48 + " sesame-of-acme", id="a secret at the cut"),
    ],
)
def test_an_answer_that_is_no_json_shows_neither_phones_nor_the_accounts_secrets(body: str) -> None:
    def asked() -> Conversation[object]:
        reply = yield QUESTION
        return reply.json()

    async def told() -> str:
        transport, _ = saying(httpx.Response(200, text=body))
        net = Net(transport=transport, timeout=AT_ONCE, secrets=[Secret("sesame-of-acme")])
        try:
            await net.converse(asked(), account="acme")
        except Unreadable as error:
            return str(error)
        finally:
            await net.close()
        return ""

    said = asyncio.run(told())
    assert said.startswith("HTTP 200, not JSON: ")
    assert "sesame" not in said
    assert "1234" not in said
