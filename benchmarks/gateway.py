"""The gateway beside jupyter_server, raw ZeroMQ and bare aiohttp: `python -m benchmarks.gateway [G1 …]`."""

import sys
from collections.abc import Iterator

from benchmarks.durable_edits import durable_edits
from benchmarks.durable_sockets import edits_over_sockets
from benchmarks.fan_out import processor_time, stalled, thousand
from benchmarks.measurement import Finding, run_parts
from benchmarks.peers import our_versions, version_of
from benchmarks.round_trips import round_trips


def edits(seed: int) -> Iterator[Finding]:
    yield from durable_edits(seed)
    yield from edits_over_sockets(seed)


PARTS = {"G1": round_trips, "G2": processor_time, "G3": thousand, "G4": edits, "P10": stalled}


def versions() -> dict[str, str | None]:
    return {**our_versions("aiohttp", "pyzmq"), "jupyter_server": version_of("jupyter_server")}


if __name__ == "__main__":
    sys.exit(run_parts(PARTS, versions))
