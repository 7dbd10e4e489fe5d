"""The stream as its clients see it: who is told what, what is missed and made up for, who is refused."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import websockets
from starlette.applications import Starlette

from serving.service.auth import Authoriser, parse_keys, parse_tokens, sign_user_token
from serving.service.hosts import AllowedHosts
from serving.service.store import Store
from serving.stream import app as stream_app
from serving.stream import hub
from serving.stream.app import Limits, create_application, server_of
from tests.serving.stream.world import publish

KEY = "k" * 32
FOREVER = 2**40
APPLICATION_TOKEN = "application-token"
USERS = ["anna", "борис"]
_EVENT = re.compile(r"event: (\w+)\ndata: ([^\n]*)\n(?:id: ([^\n]*)\n)?\n")


def authoriser() -> Authoriser:
    from hashlib import sha256

    line = f"shop {sha256(APPLICATION_TOKEN.encode()).hexdigest()}"
    return Authoriser(parse_tokens(line, where="test"), parse_keys(KEY))


def token(user: str, *, until: int = FOREVER) -> str:
    return sign_user_token(KEY.encode(), user, application="shop", expires_at=until)


class Reader:
    """A connection and what came over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.text = ""

    async def head(self) -> str:
        return (await self._reader.readuntil(b"\r\n\r\n")).decode()

    async def events(self, n: int) -> list[tuple[str, dict[str, Any], str]]:
        """The next `n` events: channel, data, id."""
        async with asyncio.timeout(10):
            while len(_EVENT.findall(self.text)) < n:
                self.text += (await self._reader.readuntil(b"\n\n")).decode()
        found = [(channel, json.loads(data), id_) for channel, data, id_ in _EVENT.findall(self.text)]
        self.text = ""
        assert len(found) == n
        return found

    async def rest(self) -> str:
        async with asyncio.timeout(10):
            return (await self._reader.read()).decode()


class Server:
    """The application behind a real server on a free port."""

    def __init__(self, server: uvicorn.Server) -> None:
        self.port = server.servers[0].sockets[0].getsockname()[1]
        self.readers: list[Reader] = []

    async def connect(self, query: str = "", *, token: str = "", host: str = "127.0.0.1", **headers: str) -> Reader:
        given = {"Host": host} | ({"Authorization": f"Bearer {token}"} if token else {}) | headers
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        # Chunks of HTTP/1.1 are not wanted here.
        writer.write(f"GET /v1/stream{query} HTTP/1.0\r\n{lines}\r\n".encode())
        self.readers.append(Reader(reader, writer))
        return self.readers[-1]


@asynccontextmanager
async def serving(published: Path, *, limits: Limits | None = None, is_open: bool = True) -> AsyncIterator[Server]:
    application: Starlette = create_application(
        Store(published),
        authoriser=Authoriser() if is_open else authoriser(),
        hosts=AllowedHosts() if is_open else None,
        clock=lambda: 0.0,
        limits=limits,
    )
    server = server_of(application, host="127.0.0.1", port=0)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    running = Server(server)
    try:
        yield running
    finally:
        server.should_exit = True
        await task
        for reader in running.readers:
            reader.writer.close()
            with suppress(OSError):
                await reader.writer.wait_closed()


def run(work: Callable[[], Any]) -> None:
    async def within() -> None:
        async with asyncio.timeout(30):
            await work()

    asyncio.run(within())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(hub, "POLL_SECONDS", 0.01)
    yield


@pytest.fixture
def published(tmp_path: Path) -> Path:
    publish(tmp_path, USERS)
    return tmp_path


def test_a_user_is_told_of_its_feed_and_everybody_of_the_generation(published: Path) -> None:
    async def work() -> None:
        async with serving(published) as server:
            anna, boris = (
                await server.connect("?user_id=anna"),
                await server.connect("?user_id=%D0%B1%D0%BE%D1%80%D0%B8%D1%81"),
            )
            for one in (anna, boris):
                assert "text/event-stream" in await one.head()
                ((channel, data, _),) = await one.events(1)
                assert (channel, data["event"]) == ("system", "connected")
            name = publish(published, USERS, ["anna"], number=1)
            feed, system = await anna.events(2)
            assert feed == ("feed", {"generation": name, "user_id": "anna"}, "")
            assert (system[0], system[1]["generation"], system[2]) == ("system", name, name)
            ((channel, data, _),) = await boris.events(1)
            assert (channel, data["event"]) == ("system", "generation")

    run(work)


def test_who_comes_back_is_told_what_it_missed(published: Path) -> None:
    async def work() -> None:
        async with serving(published) as server:
            anna = await server.connect("?user_id=anna")
            await anna.head()
            ((_, _, seen),) = await anna.events(1)
            anna.writer.close()
            for number in (1, 2):
                name = publish(published, USERS, ["anna"], number=number)
            await asyncio.sleep(1.2)
            again = await server.connect("?user_id=anna", Last_Event_ID=seen)
            await again.head()
            feed, connected = await again.events(2)
            assert (feed[0], feed[1]["generation"]) == ("feed", name)
            assert connected[2] == name
            # Nothing was missed since.
            third = await server.connect("?user_id=anna", Last_Event_ID=name)
            await third.head()
            assert [channel for channel, _, _ in await third.events(1)] == ["system"]
            unknown = await server.connect("?user_id=anna", Last_Event_ID="20000101T000000Z-00000000")
            await unknown.head()
            resync, _ = await unknown.events(2)
            assert resync[1]["event"] == "resync"

    run(work)


def test_a_channel_that_was_not_asked_for_is_not_told(published: Path) -> None:
    async def work() -> None:
        async with serving(published) as server:
            anna = await server.connect("?user_id=anna&channels=feed")
            await anna.head()
            await anna.events(1)
            for number in (1, 2):
                publish(published, USERS, ["anna"], number=number)
                assert [channel for channel, _, _ in await anna.events(1)] == ["feed"]

    run(work)


def test_an_application_is_told_of_all_users_and_a_user_of_itself_only(published: Path) -> None:
    async def work() -> None:
        async with serving(published, is_open=False) as server:
            shop = await server.connect(token=APPLICATION_TOKEN)
            boris = await server.connect(token=token("борис"))
            for one in (shop, boris):
                await one.head()
                await one.events(1)
            publish(published, USERS, ["anna"], number=1)
            feed, _ = await shop.events(2)
            assert feed[1]["user_ids"] == ["anna"]
            assert [channel for channel, _, _ in await boris.events(1)] == ["system"]

    run(work)


@pytest.mark.parametrize(
    ("query", "given", "status"),
    [
        ("", "", 401),
        ("", "wrong", 401),
        ("", token("anna", until=1), 401),
        ("?user_id=anna", token("борис"), 403),
        ("?channels=feed,gossip", APPLICATION_TOKEN, 400),
        ("?channels=", APPLICATION_TOKEN, 400),
        ("?channel=feed", APPLICATION_TOKEN, 400),
        ("?user_id=a%00b", APPLICATION_TOKEN, 400),
    ],
)
def test_who_may_not_listen_gets_a_problem(published: Path, query: str, given: str, status: int) -> None:
    async def work() -> None:
        async with serving(published, is_open=False) as server:
            reply = await server.connect(query, token=given)
            head = await reply.head()
            assert f" {status} " in head.splitlines()[0]
            assert "application/problem+json" in head
            body = json.loads(await reply.rest())
            assert body["status"] == status
            assert given not in str(body) or not given

    run(work)


def test_without_tokens_only_this_machine_is_answered(published: Path) -> None:
    async def work() -> None:
        async with serving(published) as server:
            foreign = await server.connect(host="evil.example")
            assert " 421 " in await foreign.head()
            page = await server.connect(Origin="http://evil.example")
            assert "access-control-allow-origin" not in await page.head()
            own = await server.connect(Origin="http://127.0.0.1:8080")
            assert "access-control-allow-origin: http://127.0.0.1:8080" in await own.head()
            with pytest.raises(websockets.ConnectionClosedError, match="4403"):
                async with websockets.connect(
                    f"ws://127.0.0.1:{server.port}/v1/stream", origin=websockets.Origin("http://evil.example")
                ) as socket:
                    await socket.recv()

    run(work)


def test_a_websocket_is_told_the_same_and_takes_its_token_from_the_subprotocol(published: Path) -> None:
    async def work() -> None:
        async with serving(published, is_open=False) as server:
            url = f"ws://127.0.0.1:{server.port}/v1/stream"
            protocols = [websockets.Subprotocol("jobfeed"), websockets.Subprotocol(f"bearer.{token('anna')}")]
            async with websockets.connect(url, subprotocols=protocols) as socket:
                assert socket.subprotocol == "jobfeed"
                assert json.loads(await socket.recv())["data"]["event"] == "connected"
                await socket.send("ignored")
                name = publish(published, USERS, ["anna"], number=1)
                assert json.loads(await socket.recv()) == {
                    "channel": "feed", "data": {"generation": name, "user_id": "anna"},
                }  # fmt: skip
                assert json.loads(await socket.recv())["id"] == name
            async with websockets.connect(url) as socket:
                with pytest.raises(websockets.ConnectionClosedError, match="4401"):
                    await socket.recv()

    run(work)


def test_pings_keep_the_connection_and_end_it_when_the_token_expires(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setattr(stream_app, "PING_SECONDS", 0.2)

    async def work() -> None:
        async with serving(published, is_open=False) as server:
            anna = await server.connect(token=token("anna", until=int(time.time()) + 2))
            await anna.head()
            assert (await anna.rest()).count(": ping") >= 3

    run(work)


def test_a_client_that_does_not_read_is_dropped_and_the_others_are_told(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MOST_WAITING", 2)

    async def work() -> None:
        store = Store(published)
        store.refresh()
        center = hub.Hub(store)
        await center.follow_once()
        slow = await center.subscribe("anna", ["feed", "system"], last_seen=None)
        slow.task = asyncio.create_task(asyncio.sleep(60))
        quick = await center.subscribe("anna", ["feed", "system"], last_seen=None)
        for number in (1, 2, 3):
            assert await quick.next(1) is not None
            publish(published, USERS, ["anna"], number=number)
            store.refresh()
            await center.follow_once()
        with pytest.raises(asyncio.CancelledError):
            await slow.task
        assert center.n_connections == 1
        assert center.counts["dropped"] == 1
        store.close()

    run(work)


def test_connections_are_limited_together_and_per_token(published: Path) -> None:
    async def work() -> None:
        async with serving(published, is_open=False, limits=Limits(connections=3, per_user_token=2)) as server:
            heads = []
            held = []
            for given in (token("anna"), token("anna"), token("anna"), APPLICATION_TOKEN, APPLICATION_TOKEN):
                held.append(await server.connect(token=given))
                heads.append((await held[-1].head()).split()[1])
            assert heads == ["200", "200", "429", "200", "503"]
            held[0].writer.close()
            await asyncio.sleep(0.2)
            assert " 200 " in await (await server.connect(token=token("anna"))).head()

    run(work)
