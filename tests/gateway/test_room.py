"""Who is in a notebook sees the same events in the same order, of this notebook alone, and who comes and goes."""

from pathlib import Path

from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import Client, Frame, running, story


@story
async def test_two_clients_see_the_same_events_in_the_same_order(tmp_path: Path) -> None:
    async with (
        running(tmp_path, FakeKernels()) as gateway,
        gateway.client("one") as one,
        gateway.client("two") as two,
    ):
        await one.ready()
        for number in range(20):
            await one.send("cell_update", cellId="a1", code=f"x = {number}")
            await two.send("create_cell", cellType="python", code=f"z{number} = 1")
        await one.do("save", id="last")
        await two.do("save", id="last")
        await two.event("command:executed", id="last", client="two")
        await one.event("command:executed", id="last", client="two")
        start = max(one.seqs()[0], two.seqs()[0])

        def numbered(client: Client) -> list[Frame]:
            return [frame for frame in client.frames if frame.get("seq", 0) >= start and "ts" in frame]

        both = min(len(numbered(one)), len(numbered(two)))
        assert both > 80
        assert numbered(one)[:both] == numbered(two)[:both]
        state = await gateway.state()
        assert len(state["cells"]) == 22


@story
async def test_rooms_are_isolated(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        (tmp_path / "notebooks" / "zebra.py").write_text('# %% id="q1"\nq = 1\n')
        async with gateway.session.get(f"{gateway.url}/api/v1/notebooks") as response:
            rows = await response.json()
        assert [row["path"] for row in rows] == ["story.py", "zebra.py"]
        url = f"{gateway.url}/api/v1/ws/notebook/{rows[1]['id']}"
        async with gateway.client() as client, gateway.session.ws_connect(url) as socket:
            other = Client(socket, "other")
            await other.send("attach")
            await other.ready()
            await client.ready()
            await client.do("run_all")
            await other.do("run_all")
            assert {frame["notebookId"] for frame in other.frames if "notebookId" in frame} == {rows[1]["id"]}
            assert {frame["notebookId"] for frame in client.frames if "notebookId" in frame} == {rows[0]["id"]}


@story
async def test_who_comes_and_goes_is_announced(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client("one", name="Ada") as one:
        await one.ready()
        async with gateway.client("two", name="Lin") as two:
            came = await one.event("session:connected", client="two")
            assert came["clients"] == [{"client": "one", "name": "Ada"}, {"client": "two", "name": "Lin"}]
            assert (await two.reply(await two.send("presence", cellId="nobody")))["code"] == "unknown_cell"
            await two.send("presence", cellId="a1")
            moved = await one.event("session:moved", client="two")
            assert moved["clients"][1] == {"client": "two", "name": "Lin", "cellId": "a1"}
            await two.reply(await two.send("presence", cellId="a1"))  # the same again is told to nobody
            await two.send("presence", cellId=None)
            moved = await one.event("session:moved", client="two")
            assert moved["clients"][1] == {"client": "two", "name": "Lin"}
        gone = await one.event("session:disconnected", client="two")
        assert gone["clients"] == [{"client": "one", "name": "Ada"}]
