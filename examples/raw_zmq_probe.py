"""Speak to a Tailrace kernel with pyzmq, msgpack and the standard library: `python raw_zmq_probe.py CONNECTION_FILE`.

Start a kernel with `tailrace kernel start`, which prints the file. The wire is described in protocol/SPEC.md, part A.
"""

import hashlib
import hmac
import json
import sys
import uuid
from pathlib import Path

import msgpack
import zmq

FILE = json.loads(Path(sys.argv[1]).read_text())
KEY = FILE["key"].encode()
PLAIN = {"stream": "text", "execute_result": "data", "error": "evalue", "cell_status": "changes"}


def connect(kind: int, name: str) -> zmq.Socket[bytes]:
    socket = zmq.Context.instance().socket(kind)
    socket.connect(f"{FILE['transport']}://{FILE['ip']}{'-' if FILE['transport'] == 'ipc' else ':'}{FILE[name]}")
    socket.linger, socket.rcvtimeo = 0, 20_000  # milliseconds
    return socket


def sign(parts: list[bytes]) -> bytes:
    return hmac.new(KEY, b"".join(parts), hashlib.sha256).hexdigest().encode()


def receive(socket: zmq.Socket[bytes]) -> tuple[dict, dict, dict]:
    frames = socket.recv_multipart()
    signature, *parts = frames[frames.index(b"<IDS|MSG>") + 1 :][:5]
    assert hmac.compare_digest(signature, sign(parts)), "a message of another kernel"
    unpack = json.loads if parts[0].startswith(b"{") else msgpack.unpackb
    header, parent, _, content = map(unpack, parts)
    return header, parent, content


def request(kind: str, **content: object) -> dict:
    header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": "raw", "username": "me", "version": "5.5"}
    parts = [msgpack.packb(part) for part in (header, {}, {}, content)]  # answered in msgpack, too
    control.send_multipart([b"<IDS|MSG>", sign(parts), *parts])
    return receive(control)[2]


control, iopub = connect(zmq.DEALER, "control_port"), connect(zmq.SUB, "iopub_port")
iopub.subscribe(b"")
print("attached to", request("attach_request", client="raw_zmq_probe")["kernel_id"])
request("register_cell_request", cell_id="a", code="x = 5")
print(request("register_cell_request", cell_id="b", code="y = x + 1\nprint('y is', y)\ny", after_cell_id="a")["reads"])
run = request("execute_cells_request", cell_ids=["a"], wait=False)["run_id"]
while True:
    header, _, content = receive(iopub)
    print(header["msg_type"], content.get(PLAIN.get(header["msg_type"]), ""))
    if header["msg_type"] == "run_finished" and content["run_id"] == run:
        sys.exit(content["status"] != "success")
