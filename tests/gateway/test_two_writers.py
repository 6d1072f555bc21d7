"""Two people on one notebook, over real sockets: merges, conflicts, and a thousand steps back across a restart."""

from pathlib import Path

from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import Client, Frame, Gateway, running, story

STEPS = 1_000
AT_ONCE = 250  # frames sent before the answers are read


async def code(gateway: Gateway, cell_id: str = "a1") -> str:
    return next(str(cell["code"]) for cell in (await gateway.state())["cells"] if cell["id"] == cell_id)


async def many(client: Client, word: str, frames: list[Frame]) -> list[Frame]:
    """Send them all; the answers, in order."""
    answers = []
    for start in range(0, len(frames), AT_ONCE):
        some = frames[start : start + AT_ONCE]
        ids = [await client.send(word, id=f"{word}-{start + number}", **frame) for number, frame in enumerate(some)]
        answers += [await client.reply(command_id) for command_id in ids]
    return answers


@story
async def test_a_thousand_steps_back_and_forth_across_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client("ann", topics=["run"]) as ann:
        edits = [{"cellId": "a1", "code": f"x = {number}"} for number in range(STEPS + 1)]
        answers = await many(ann, "cell_update", list(edits))
        assert {answer["type"] for answer in answers} == {"ack"}
        assert await code(gateway) == f"x = {STEPS}"
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client("ann", topics=["run"]) as ann:
        answers = await many(ann, "undo", [{}] * STEPS)
        assert {answer["type"] for answer in answers} == {"ack"}
        assert await code(gateway) == "x = 0"
        more = await ann.reply(await ann.send("undo", id="one-more"))
        assert more["code"] == "nothing_to_undo"
        answers = await many(ann, "redo", [{}] * STEPS)
        assert {answer["type"] for answer in answers} == {"ack"}
        assert await code(gateway) == f"x = {STEPS}"


@story
async def test_edits_in_different_places_of_one_cell_become_one_text(tmp_path: Path) -> None:
    notebook = '# %% id="a1"\nfirst = 1\nsecond = 2\nthird = 3\n'
    async with (
        running(tmp_path, FakeKernels(), notebook) as gateway,
        gateway.client("ann") as ann,
        gateway.client("bob") as bob,
    ):
        await ann.ready()
        one = await ann.send("cell_update", cellId="a1", code="first = 10\nsecond = 2\nthird = 3", baseVersion=1)
        await ann.reply(one)
        two = await bob.send("cell_update", cellId="a1", code="first = 1\nsecond = 2\nthird = 30", baseVersion=1)
        assert (await bob.reply(two))["result"]["merged"] is True
        assert await code(gateway) == "first = 10\nsecond = 2\nthird = 30"
        await ann.event("cell_updated", cause={"client": "bob", "id": two})
        await ann.reply(await ann.send("no_such_frame"))  # everything before the answer has come
        assert "conflict" not in ann.kinds() + bob.kinds()


@story
async def test_the_first_writer_is_told_both_texts_when_the_second_one_overwrites(tmp_path: Path) -> None:
    async with (
        running(tmp_path, FakeKernels()) as gateway,
        gateway.client("ann") as ann,
        gateway.client("bob") as bob,
    ):
        await ann.ready()
        await ann.reply(await ann.send("cell_update", cellId="a1", code="x = 'ann'", baseVersion=1))
        await bob.reply(await bob.send("cell_update", cellId="a1", code="x = 'bob'", baseVersion=1))
        told = await ann.event("conflict")
        assert (told["yours"], told["theirs"], told["base"]) == ("x = 'ann'", "x = 'bob'", "x = 5")
        assert (told["cellId"], told["version"]) == ("a1", 3)
        assert "seq" not in told, "it is not one of the events that everybody gets"
        assert await code(gateway) == "x = 'bob'"
        assert "conflict" not in bob.kinds()
        refused = await ann.do("undo")
        assert refused["code"] == "undo_conflict"
        (change,) = refused["details"]["changes"]
        assert (change["now"], change["wouldBe"]) == ("x = 'bob'", "x = 5")
        assert await code(gateway) == "x = 'bob'"
        assert (await bob.do("undo"))["type"] == "command:executed", "the control: one's own work can be taken back"
        assert await code(gateway) == "x = 'ann'"
        assert (await ann.do("undo"))["type"] == "command:executed"
        assert await code(gateway) == "x = 5"
