/** The panels beside the cells, as tabs of one aside. A chunk of its own. */

import type { ComponentType } from "preact";

import { useNotebook } from "../context";
import type { PanelName } from "../notebook";
import "../styles/panels.css";
import { GraphPanel } from "./graph_panel";
import { MessagesPanel } from "./messages_panel";
import { OutlinePanel } from "./outline_panel";
import { SchemaPanel } from "./schema_panel";
import { VariablesPanel } from "./variables_panel";

const PANELS: readonly (readonly [PanelName, string, ComponentType])[] = [
  ["outline", "Outline", OutlinePanel],
  ["variables", "Variables", VariablesPanel],
  ["graph", "Graph", GraphPanel],
  ["schema", "Schema", SchemaPanel],
  ["messages", "Messages", MessagesPanel],
];

export function Panels() {
  const { panel } = useNotebook();
  const [name, title, Shown] = PANELS.find(([one]) => one === panel.value) ?? PANELS[0]!;
  const keyed = (event: KeyboardEvent) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    const at = PANELS.findIndex(([one]) => one === name);
    const [next] = PANELS[(at + by + PANELS.length) % PANELS.length]!;
    panel.value = next;
    (event.currentTarget as HTMLElement).querySelector<HTMLElement>(`#tab-${next}`)?.focus();
  };
  return (
    <aside class="panels" aria-label="Panels" data-testid="panels">
      <div class="tabs">
        <div role="tablist" aria-label="Panels" onKeyDown={keyed}>
          {PANELS.map(([one, word]) => (
            <button
              key={one} id={`tab-${one}`} role="tab" aria-selected={one === name} aria-controls="panel" tabIndex={one === name ? 0 : -1}
              onClick={() => (panel.value = one)}
            >
              {word}
            </button>
          ))}
        </div>
        <button class="bare" aria-label="Close the panels" onClick={() => (panel.value = undefined)}>×</button>
      </div>
      <div id="panel" class="panel" role="tabpanel" aria-label={title} data-panel-name={name}>
        <Shown />
      </div>
    </aside>
  );
}
