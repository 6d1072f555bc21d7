"""The table of a SQL cell at the gateway: pages on the socket, whole downloads by URL; real kernel, real sockets."""

import csv
import io
from pathlib import Path

import aiohttp
import pyarrow as pa

from tests.gateway.rim import Frame, Gateway, running, story

NOTEBOOK = """# %% language="sql" id="big"
# -- result: big
# SELECT range AS n, 'text, "' || range || '"' AS t, CASE WHEN range % 2 = 0 THEN [range, 1] END AS pair,
#        ('on'::ENUM('on', 'off')) AS state
# FROM range(150000)

# %% language="sql" id="shown"
# SELECT range AS n FROM range(20000)

# %% id="python"
x = 1
"""


async def address(gateway: Gateway, cell: str, query: str = "") -> str:
    return f"{gateway.url}/api/v1/notebooks/{await gateway.notebook_id()}/tables/{cell}/0{query}"


async def codes(gateway: Gateway) -> list[str]:
    return [cell["code"] for cell in (await gateway.state())["cells"]]


async def code_of(response: aiohttp.ClientResponse) -> tuple[int, str]:
    return response.status, (await response.json())["code"]


@story
async def test_a_table_is_downloaded_whole(tmp_path: Path) -> None:
    async with running(tmp_path, notebook=NOTEBOOK) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_all")
        async with gateway.session.get(await address(gateway, "big", "?format=arrow")) as response:
            assert response.status == 200
            assert response.headers["X-Tailrace-Rows"] == "150000"
            assert response.headers["X-Tailrace-Complete"] == "true"
            table = pa.ipc.open_stream(await response.read()).read_all()
        assert table.num_rows == 150_000
        assert table.column("n").to_pylist() == list(range(150_000))
        assert table.slice(149_998).to_pylist()[0]["pair"] == [149_998, 1]
        async with gateway.session.get(await address(gateway, "big")) as response:
            assert response.headers["Content-Disposition"].endswith('story-big.csv"')
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            lines = list(csv.reader(io.StringIO(await response.text())))
        assert lines[0] == ["n", "t", "pair", "state"]
        assert lines[1] == ["0", 'text, "0"', "[0, 1]", "on"]
        assert lines[150_000] == ["149999", 'text, "149999"', "", "on"]
        assert len(lines) == 150_001


@story
async def test_a_result_without_a_name_says_that_it_is_a_part(tmp_path: Path) -> None:
    async with running(tmp_path, notebook=NOTEBOOK) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_cell", cellId="shown")
        async with gateway.session.get(await address(gateway, "shown")) as response:
            assert response.headers["X-Tailrace-Complete"] == "false"
            assert "first-10000-rows.csv" in response.headers["Content-Disposition"]
            assert len((await response.text()).splitlines()) == 10_001


@story
async def test_what_cannot_be_downloaded_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, notebook=NOTEBOOK) as gateway, gateway.client() as client:
        await client.ready()
        async with gateway.session.get(await address(gateway, "big")) as response:
            assert await code_of(response) == (404, "no_such_output")
        async with gateway.session.get(await address(gateway, "big", "?format=xlsx")) as response:
            assert await code_of(response) == (400, "bad_field")
        async with gateway.bare.get(await address(gateway, "big")) as response:
            assert await code_of(response) == (401, "not_logged_in")


@story
async def test_a_page_of_a_table_on_the_socket(tmp_path: Path) -> None:
    async with running(tmp_path, notebook=NOTEBOOK) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_cell", cellId="shown")
        asked: Frame = {"cellId": "shown", "outputIndex": 0, "offset": 1, "limit": 2}
        reply = await client.reply(await client.send("table_page", **asked))
        assert reply["result"]["rows"] == [[1], [2]]
        assert (reply["result"]["total"], reply["result"]["columns"][0]["name"]) == (10_000, "n")
        newest: Frame = {**asked, "offset": 0, "sort": [{"column": "n", "descending": True}], "filter": "99"}
        reply = await client.reply(await client.send("table_page", **newest))
        assert reply["result"]["rows"] == [[9999], [9998]]
        reply = await client.reply(await client.send("table_page", **asked, sort=[{"column": "nothing"}]))
        assert (reply["type"], reply["code"]) == ("error", "bad_field")
        reply = await client.reply(await client.send("table_page", **(asked | {"cellId": "gone"})))
        assert reply["code"] == "unknown_cell"


@story
async def test_a_variable_is_renamed_in_all_cells_and_back_by_one_undo(tmp_path: Path) -> None:
    notebook = '# %% id="make"\nx = 1\n\n# %% language="sql" id="ask"\n# SELECT :x\n'
    async with running(tmp_path, notebook=notebook) as gateway, gateway.client() as client:
        await client.ready()
        reply = await client.reply(await client.send("rename_variable", name="x", newName="price"))
        assert reply["result"] == {
            "cells": [
                {"cell_id": "make", "version": 1, "edits": [{"start": 0, "end": 1, "text": "price"}]},
                {"cell_id": "ask", "version": 1, "edits": [{"start": 8, "end": 9, "text": "price"}]},
            ]
        }
        texts = [
            {"cellId": "make", "code": "price = 1", "baseVersion": 1},
            {"cellId": "ask", "code": "SELECT :price", "baseVersion": 1},
        ]
        await client.do("update_cells", cells=texts)
        assert await codes(gateway) == ["price = 1", "SELECT :price"]
        await client.do("undo")
        assert await codes(gateway) == ["x = 1", "SELECT :x"]
        reply = await client.reply(await client.send("rename_variable", name="x", newName="class"))
        assert (reply["type"], reply["code"]) == ("error", "cannot_rename")


@story
async def test_the_schema_browser_of_a_connection(tmp_path: Path) -> None:
    notebook = '# %% language="sql" id="make"\n# CREATE OR REPLACE TABLE shop (id int, city text)\n'
    async with running(tmp_path, notebook=notebook) as gateway, gateway.client() as client:
        await client.ready()

        async def names(*path: str) -> list[str]:
            reply = await client.reply(await client.send("schema", connection="default", path=list(path)))
            return [node["name"] for node in reply["result"]["nodes"]]

        assert await names("main") == []
        await client.do("run_all")
        assert "main" in await names()
        assert await names("main") == ["shop"]
        assert await names("main", "shop") == ["id", "city"]
        reply = await client.reply(await client.send("schema", connection="nowhere"))
        assert (reply["type"], reply["code"]) == ("error", "unknown_connection")
