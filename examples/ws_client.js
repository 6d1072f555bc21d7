// A client in a page of the gateway's origin: paste it into the browser's console of an open notebook, then
// `const notebook = follow(ID, console.log)` and `notebook.send({type: "run_all"})`. It reconnects by itself, asks for
// the events it missed, and sends again what was not acknowledged. See protocol/SPEC.md, part B.
function follow(notebookId, onFrame) {
  const client = crypto.randomUUID();
  const key = localStorage.getItem("tailrace.key"); // what login gave this page
  const waiting = new Map(); // id → frame, until its answer
  let socket, since, attempt = 0, count = 0, live = false;

  function connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    socket = new WebSocket(`${scheme}://${location.host}/api/v1/ws/notebook/${notebookId}`, "tailrace.v1.json");
    socket.onopen = () => socket.send(JSON.stringify({ type: "attach", id: `attach-${++count}`, client, key, since }));
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.type === "ack" && frame.id.startsWith("attach-")) {
        [live, attempt] = [true, 0];
        if (frame.result.mode === "replay") since = { epoch: frame.result.epoch, seq: since.seq };
        waiting.forEach((each) => socket.send(JSON.stringify(each))); // same ids: nothing happens twice
      } else if (frame.type === "snapshot") since = { epoch: frame.epoch, seq: frame.seq };
      else if (frame.type === "ack" || frame.type === "error") waiting.delete(frame.id);
      else if (frame.seq && since) since.seq = frame.seq;
      onFrame(frame);
    };
    socket.onclose = ({ code }) => {
      live = false;
      if ([4400, 4401, 4403, 4404].includes(code)) return onFrame({ type: "closed", code }); // no use trying again
      setTimeout(connect, Math.min(10_000, 250 * 2 ** attempt++) * (0.5 + Math.random()));
    };
  }
  connect();
  return {
    send(command) {
      const frame = { id: `${++count}`, ...command };
      waiting.set(frame.id, frame);
      if (live) socket.send(JSON.stringify(frame));
    },
  };
}
