/** The aside with the panels: its button, its place, and the fetching of its chunk when it is first opened. */

import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";

import { useNotebook } from "./context";
import { Icon } from "./icons";
import type { PanelName } from "./notebook";

let last: PanelName = "outline";

export function PanelButtons() {
  const notebook = useNotebook();
  const open = notebook.panel.value;
  if (open !== undefined) last = open;
  return (
    <>
      <button aria-pressed={open !== undefined} onClick={() => (notebook.panel.value = open === undefined ? last : undefined)}>
        <Icon name="panel" /> Panels
      </button>
      <button class="bare" aria-label="All commands" title="All commands (Ctrl-Shift-C)" onClick={() => (notebook.overlay.value = "palette")}>
        <Icon name="command" />
      </button>
    </>
  );
}

export function PanelPlace() {
  const { panel } = useNotebook();
  const loaded = useSignal<{ Panels: ComponentType } | undefined>(undefined);
  const open = panel.value !== undefined;
  useEffect(() => {
    document.documentElement.toggleAttribute("data-panel", open);
    if (open && !loaded.peek()) void import("./panels/panels").then((made) => (loaded.value = made));
    return () => document.documentElement.removeAttribute("data-panel");
  }, [open]);
  if (!open || !loaded.value) return null;
  const { Panels } = loaded.value;
  return <Panels />;
}
