"""What is published in place of an output that is too large for anybody to show. Pure.

Standard messages of a kernel without our own clients stay as they are.
"""

from typing import Any

import orjson

from tailrace_protocol.limits import MAX_OUTPUT


def shortened(header: bytes, content: bytes) -> bytes:
    """The content, or where it is an output of more than MAX_OUTPUT bytes: one that says how much was left out."""
    if len(content) <= MAX_OUTPUT:
        return content
    kind = orjson.loads(header).get("msg_type")
    said = f"[{len(content):,} bytes left out: one output may have {MAX_OUTPUT // 2**20} MiB]"
    match kind:
        case "stream":
            stream = "stderr" if content.startswith(b'{"name":"stderr"') else "stdout"
            return orjson.dumps({"name": stream, "text": said + "\n"})
        case "error":
            return orjson.dumps({"ename": _fields(content).get("ename", ""), "evalue": said, "traceback": [said]})
        case "display_data" | "execute_result" | "update_display_data":
            kept = {name: value for name, value in _fields(content).items() if name in ("execution_count", "transient")}
            return orjson.dumps({"data": {"text/plain": said}, "metadata": {}, **kept})
        case _:
            return content


def _fields(content: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = orjson.loads(content)
    except ValueError:  # NaN, which the standard packer writes
        return {}
    return found
