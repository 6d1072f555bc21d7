/** A view of a widget of ipywidgets or anywidget. A chunk of its own, with one manager per notebook. */

import { Widget } from "@lumino/widgets";

import type { Notebook } from "../notebook";
import { WidgetManager } from "../widgets/manager";
import type { Draw } from "./registry";

const managers = new WeakMap<Notebook, WidgetManager>();

function managerOf(notebook: Notebook): WidgetManager {
  const known = managers.get(notebook);
  if (known) return known;
  const manager = new WidgetManager(notebook);
  managers.set(notebook, manager);
  return manager;
}

export const drawWidget: Draw = (into, value, { notebook, plain }) => {
  const modelId = String((value as { model_id?: unknown } | null)?.model_id ?? "");
  let gone = false;
  if (notebook === undefined) {
    into.textContent = plain;
    return undefined;
  }
  let view: { remove: () => unknown } | undefined;
  const draw = async (): Promise<void> => {
    const manager = managerOf(notebook);
    const model = await manager.find(modelId, () => void draw());
    if (gone) return;
    if (model === undefined) {
      into.textContent = `${plain === "" ? "A widget" : plain.split("\n", 1)[0]!.slice(0, 80)}: its kernel is gone or has not made it. Run the cell to have it again.`;
      into.className = "omitted";
      return;
    }
    const drawn = await manager.create_view(model);
    if (gone) return void drawn.remove();
    view = drawn;
    into.className = "widget-place";
    into.replaceChildren();
    Widget.attach(drawn.luminoWidget, into);
    model.on("destroy", () => queueMicrotask(() => void (gone || draw())));
  };
  draw().catch((error: unknown) => (into.textContent = `The widget could not be drawn: ${error instanceof Error ? error.message : String(error)}`));
  return () => {
    gone = true;
    view?.remove();
  };
};
