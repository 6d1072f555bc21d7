/** Where the dialogs over the page appear; each is fetched when first asked for. */

import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";

import { useNotebook } from "./context";
import type { OverlayName } from "./notebook";

const CHUNKS: Readonly<Record<OverlayName, () => Promise<ComponentType>>> = {
  palette: async () => (await import("./palette")).Palette,
  help: async () => (await import("./palette")).Help,
  person: async () => (await import("./person_dialog")).PersonDialog,
  rename: async () => (await import("./rename_dialog")).RenameDialog,
};

export function Overlay() {
  const notebook = useNotebook();
  const wanted = notebook.overlay.value;
  const loaded = useSignal<{ name: OverlayName; View: ComponentType } | undefined>(undefined);
  useEffect(() => {
    if (wanted !== undefined && loaded.peek()?.name !== wanted) void CHUNKS[wanted]().then((View) => (loaded.value = { name: wanted, View }));
  }, [wanted]);
  if (wanted === undefined || loaded.value?.name !== wanted) return null;
  const { View } = loaded.value;
  return <View />;
}

/** The place of the find bar. */
export function FindPlace() {
  const notebook = useNotebook();
  const loaded = useSignal<{ FindBar: ComponentType } | undefined>(undefined);
  const open = notebook.finding.value !== undefined;
  useEffect(() => {
    if (open && !loaded.peek()) void import("./find_bar").then((made) => (loaded.value = made));
  }, [open]);
  if (!open || !loaded.value) return null;
  const { FindBar } = loaded.value;
  return <FindBar />;
}
