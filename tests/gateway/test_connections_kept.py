"""Databases after the gateway was started anew: what they were is shown, their passwords are asked for again."""

from pathlib import Path

from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import running, story

URL = "postgresql://ann:s3cret-word@db/shop"


def holding(text: bytes, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


@story
async def test_a_connection_needs_credentials_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("update_db_connection", connectionString=URL)
        (connected,) = (await gateway.state())["db"]
        assert connected["status"] == "success"
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway:
        (kept,) = (await gateway.state())["db"]
        assert (kept["name"], kept["status"]) == ("default", "needs_credentials")
        assert kept["connectionString"] == connected["connectionString"]
        async with gateway.client("again") as client:
            await client.ready()
            assert kernels.last.requests("configure_db") == []
            await client.do("update_db_connection", connectionString=URL)
            assert (await gateway.state())["db"][0]["status"] == "success"
            assert kernels.last.requests("configure_db")[0]["url"] == URL
    assert holding(b"postgresql", tmp_path), "the control: what may be kept is found"
    assert holding(b"s3cret-word", tmp_path) == []
