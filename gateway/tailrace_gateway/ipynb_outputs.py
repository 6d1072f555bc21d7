"""Outputs between a Jupyter notebook file (nbformat 4) and our own structs. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, assert_never

from tailrace_protocol.objects import TABLE_MIME, DisplayOutput, ErrorOutput, Output, ResultOutput, Stream, StreamOutput

Blob = Callable[[str], Any]  # `$url` of a large value → the value, or null when it is gone


def read_outputs(raw: Any) -> tuple[Output, ...]:
    """Outputs of a code cell as the file has them; what is no output of nbformat is left out."""
    if not isinstance(raw, list):
        return ()
    outputs: list[Output] = []
    for item in raw:
        output = _read(item, len(outputs)) if isinstance(item, dict) else None
        former = outputs[-1] if outputs else None
        match former, output:
            case _, None:
                continue
            case StreamOutput(stream=one), StreamOutput(stream=two, text=text) if one == two:
                outputs[-1] = StreamOutput(index=former.index, stream=one, text=former.text + text)
            case _:
                outputs.append(output)
    return tuple(outputs)


def _read(item: dict[str, Any], index: int) -> Output | None:
    match item.get("output_type"):
        case "stream":
            stream: Stream = "stderr" if item.get("name") == "stderr" else "stdout"
            return StreamOutput(index=index, stream=stream, text=joined(item.get("text")))
        case "error":
            traceback = item.get("traceback")
            return ErrorOutput(
                index=index,
                ename=str(item.get("ename", "")),
                evalue=str(item.get("evalue", "")),
                traceback=tuple(map(str, traceback)) if isinstance(traceback, list) else (),
            )
        case "display_data":
            return DisplayOutput(index=index, data=_bundle(item), metadata=_metadata(item))
        case "execute_result":
            count = item.get("execution_count")
            return ResultOutput(
                index=index,
                data=_bundle(item),
                metadata=_metadata(item),
                execution_count=count if isinstance(count, int) else None,
            )
        case _:
            return None


def write_outputs(outputs: Sequence[Output], blob: Blob | None = None) -> list[dict[str, Any]]:
    """Outputs as nbformat 4 has them. A large value whose blob is gone is left out of its bundle."""
    return [_write(output, blob) for output in outputs]


def _write(output: Output, blob: Blob | None) -> dict[str, Any]:
    match output:
        case StreamOutput():
            return {"name": output.stream, "output_type": "stream", "text": lines(output.text)}
        case ErrorOutput():
            return {
                "ename": output.ename,
                "evalue": output.evalue,
                "output_type": "error",
                "traceback": list(output.traceback),
            }
        case DisplayOutput():
            return {
                "data": _file_bundle(output.data, blob),
                "metadata": output.metadata,
                "output_type": "display_data",
            }
        case ResultOutput():
            return {
                "data": _file_bundle(output.data, blob),
                "execution_count": output.execution_count,
                "metadata": output.metadata,
                "output_type": "execute_result",
            }
        case _:
            assert_never(output)


def joined(text: Any) -> str:
    """nbformat writes long texts as lists of lines."""
    if isinstance(text, list):
        return "".join(str(line) for line in text)
    return text if isinstance(text, str) else ""


def lines(text: str) -> list[str]:
    """A text as nbformat writes it: one string per line, line ends kept."""
    parts = text.split("\n")
    kept = [part + "\n" for part in parts[:-1]]
    return [*kept, parts[-1]] if parts[-1] else kept


def _is_json(mime: str) -> bool:
    return mime == "application/json" or mime.endswith("+json")


def _bundle(item: dict[str, Any]) -> dict[str, Any]:
    data = item.get("data")
    if not isinstance(data, dict):
        return {}
    return {mime: value if _is_json(mime) else joined(value) for mime, value in data.items()}


def _metadata(item: dict[str, Any]) -> dict[str, Any]:
    metadata = item.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _file_bundle(data: dict[str, Any], blob: Blob | None) -> dict[str, Any]:
    bundle: dict[str, Any] = {}
    for mime, value in data.items():
        if mime == TABLE_MIME:  # a token of this kernel means nothing to the next one
            continue
        if isinstance(value, dict) and "$url" in value:
            full = blob(value["$url"]) if blob is not None else None
            if full is None:
                continue
        else:
            full = value
        bundle[mime] = lines(full) if isinstance(full, str) and not _is_json(mime) and _is_text(mime) else full
    return bundle


def _is_text(mime: str) -> bool:
    """Binary types travel as one base64 string; nbformat splits the others into lines."""
    return mime.startswith("text/") or mime in {"image/svg+xml", "application/javascript"}
