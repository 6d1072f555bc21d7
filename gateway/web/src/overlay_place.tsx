/** Where the palette and the help sheet appear; both are fetched when first asked for. */

import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";

import { useNotebook } from "./context";

type Overlays = { Palette: ComponentType; Help: ComponentType };

export function Overlay() {
  const notebook = useNotebook();
  const wanted = notebook.overlay.value;
  const loaded = useSignal<Overlays | undefined>(undefined);
  useEffect(() => {
    if (wanted !== undefined && !loaded.peek()) void import("./palette").then((made) => (loaded.value = made));
  }, [wanted]);
  if (wanted === undefined || !loaded.value) return null;
  const { Palette, Help } = loaded.value;
  return wanted === "palette" ? <Palette /> : <Help />;
}
