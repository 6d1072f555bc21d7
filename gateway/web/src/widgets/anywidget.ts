/**
 * Widgets of the anywidget specification: an ES module in the state draws them. It runs in the page, from a `blob:`
 * address, which is the one kind of script beside ours that the content security policy lets in.
 */

import { DOMWidgetModel, DOMWidgetView } from "@jupyter-widgets/base";

type Cleanup = undefined | (() => unknown);
interface Definition {
  initialize?: (context: { model: Model }) => Cleanup | Promise<Cleanup>;
  render?: (context: { model: Model; el: HTMLElement }) => Cleanup | Promise<Cleanup>;
}
type Module = Definition & { default?: Definition | (() => Definition | Promise<Definition>) };

/** What the specification lets a widget's module do. */
interface Model {
  get: (name: string) => unknown;
  set: (name: string, value: unknown) => void;
  save_changes: () => void;
  on: (event: string, listener: (...values: unknown[]) => void) => void;
  off: (event?: string | null, listener?: (...values: unknown[]) => void) => void;
  send: (content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[] | ArrayBufferView[]) => void;
  widget_manager: unknown;
}

export class AnyModel extends DOMWidgetModel {
  private loaded: { source: string; definition: Promise<Definition> } | undefined;

  definition(): Promise<Definition> {
    const source = String(this.get("_esm") ?? "");
    if (this.loaded?.source !== source) this.loaded = { source, definition: this.load(source) };
    return this.loaded!.definition;
  }

  private async load(source: string): Promise<Definition> {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    try {
      const module = (await import(/* @vite-ignore */ url)) as Module;
      const found = module.default ?? module;
      const definition = typeof found === "function" ? await found() : found;
      await definition.initialize?.({ model: modelFor(this, {}) });
      return definition;
    } finally {
      URL.revokeObjectURL(url);
    }
  }
}

export class AnyView extends DOMWidgetView {
  private cleanup: Cleanup = undefined;
  private readonly owner = {}; // of the listeners that the module adds

  override async render(): Promise<void> {
    super.render();
    this.listenTo(this.model, "change:_css", () => this.draw());
    this.listenTo(this.model, "change:_esm", () => this.draw());
    await this.draw();
  }

  private async draw(): Promise<void> {
    this.free();
    const style = document.createElement("style");
    style.textContent = String(this.model.get("_css") ?? "");
    const place = document.createElement("div");
    this.el.replaceChildren(style, place);
    try {
      const definition = await (this.model as AnyModel).definition();
      this.cleanup = await definition.render?.({ model: modelFor(this.model as AnyModel, this.owner), el: place });
    } catch (error) {
      place.textContent = `The widget could not be drawn: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  private free(): void {
    if (typeof this.cleanup === "function") this.cleanup();
    this.cleanup = undefined;
    (this.model as AnyModel).off(undefined, undefined, this.owner);
  }

  override remove(): this {
    this.free();
    return super.remove() as this;
  }
}

function modelFor(model: AnyModel, owner: object): Model {
  return {
    get: (name) => model.get(name) as unknown,
    set: (name, value) => void model.set(name, value),
    save_changes: () => model.save_changes(),
    on: (event, listener) => void model.on(event, listener, owner),
    off: (event, listener) => void model.off(event ?? undefined, listener, owner),
    send: (content, callbacks, buffers) => model.send(content as never, callbacks as never, buffers as ArrayBuffer[]),
    widget_manager: model.widget_manager,
  };
}
