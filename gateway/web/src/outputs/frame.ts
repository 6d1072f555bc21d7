/** An opaque-origin frame for what brings scripts: it reaches neither the page nor the gateway, and no network. */

const CAP = 4000; // px

/** `scripts` run in order after the HTML is there. */
export interface FrameContent {
  html: string;
  dark: boolean;
  scripts?: readonly string[];
}

/** Shows the content and gives the frame its height; returns what lets go of it. */
export function drawFrame(into: HTMLElement, title: string, content: FrameContent): () => void {
  const frame = document.createElement("iframe");
  frame.className = "frame";
  frame.title = title;
  frame.setAttribute("sandbox", "allow-scripts"); // never with allow-same-origin: together they are no sandbox
  frame.src = "/frame.html";
  const resize = (event: MessageEvent<{ height?: unknown }>) => {
    if (event.source !== frame.contentWindow || typeof event.data?.height !== "number") return;
    frame.style.height = `${Math.min(event.data.height, CAP)}px`;
  };
  addEventListener("message", resize);
  frame.addEventListener("load", () => frame.contentWindow?.postMessage(content, "*"));
  into.append(frame);
  return () => removeEventListener("message", resize);
}
