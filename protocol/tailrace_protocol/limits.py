"""The limits of the wire, in one place. Source: SPEC.md, "Errors and limits"."""

MAX_FRAME = 16 * 2**20  # bytes of one WebSocket frame
MAX_NESTING = 64  # levels of lists and objects in one frame
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**64 - 1  # what msgpack carries; JSON numbers are held to the same
MAX_CODE = 2**20  # bytes of UTF-8 in one cell
MAX_CELLS = 10_000  # cells in one notebook
MAX_UNACKED = 1_000  # frames a client may have waiting for an answer
MAX_SOCKETS = 256  # clients attached to one notebook
MAX_INLINE = 2**20  # bytes of one MIME value sent inside a frame; larger ones travel by URL
RING_EVENTS = 10_000  # events kept for replay
RING_BYTES = 32 * 2**20  # bytes of events kept for replay
IDEMPOTENT_IDS = 10_000  # command ids whose answers are remembered
ATTACH_SECONDS = 10.0  # time a client has to send its first frame
MAX_OUTPUT = 16 * 2**20  # bytes of one output that a kernel publishes to clients of ours
