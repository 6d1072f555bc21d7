/**
 * The widgets of one notebook: models that live as long as their kernel, and views of them. The models of ipywidgets are
 * Jupyter's own (`@jupyter-widgets/base` and `/controls`); this class ties them to our frames and outputs.
 */

import "./widgets.css";

import * as base from "@jupyter-widgets/base";
import { ManagerBase } from "@jupyter-widgets/base-manager";
import * as controls from "@jupyter-widgets/controls";
import { computed, effect } from "@preact/signals";

import { fillClean } from "../outputs/html";
import type { Notebook } from "../notebook";
import type { CommSent } from "../protocol";
import { randomId } from "../session";
import * as anywidget from "./anywidget";
import { Channel, viewsOf } from "./channel";
import { OutputModel, outputView } from "./output_widget";

type AnyClass = typeof base.WidgetModel | typeof base.WidgetView;
type Buffers = ArrayBuffer[] | ArrayBufferView[];

const TARGET = "jupyter.widget";
const CONTROL = "jupyter.widget.control";
const GONE_STATES: readonly string[] = ["dead", "restarting", "starting"];

/** Answer to `request_states`: ipywidgets' "widget state JSON", Jupyter widgets messaging 2.1. */
interface StatesMessage {
  content: {
    data: {
      states?: Record<string, { model_name: string; model_module: string; model_module_version: string; state: Record<string, unknown> }>;
      buffer_paths?: (string | number)[][];
    };
  };
  buffers: DataView[];
}

export class WidgetManager extends ManagerBase {
  private readonly channels = new Map<string, Channel>();
  private readonly waiting = new Map<string, Set<() => void>>(); // model → who wants to draw it
  private readonly modules: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  private asked: Channel | undefined; // a question for all states that has no answer yet
  private knownAll: Promise<void> | undefined;
  private giveUp: (() => void) | undefined; // whoever waits for `knownAll` waits no longer
  private outdated = false; // messages were missed

  constructor(private readonly notebook: Notebook) {
    super();
    const views = { ...controls, HTMLView: cleaned(controls.HTMLView), HTMLMathView: cleaned(controls.HTMLMathView) };
    this.modules = {
      "@jupyter-widgets/base": base as unknown as Record<string, unknown>,
      "@jupyter-widgets/controls": views as unknown as Record<string, unknown>,
      "@jupyter-widgets/output": { OutputModel, OutputView: outputView(notebook) },
      anywidget: anywidget as unknown as Record<string, unknown>,
    };
    notebook.widgets.read((event) => this.take(event));
    notebook.store.onFold((events) => {
      if (events.length === 0) this.outdated = true; // a snapshot holds no widgets
    });
    const isThere = computed(() => !GONE_STATES.includes(notebook.store.kernel.value.state));
    const isHeard = computed(() => isThere.value && notebook.connection.state.value === "live");
    effect(() => {
      if (!isThere.value) void this.forget();
    });
    effect(() => {
      if (isHeard.value) this.knownAll = this.askForAll();
    });
  }

  /** The model, once it is known; `later` is called if it becomes known after that. */
  async find(modelId: string, later: () => void): Promise<base.DOMWidgetModel | undefined> {
    if (!this.has_model(modelId)) await Promise.race([this.knownAll, new Promise<void>((known) => this.await(modelId, known))]);
    if (this.has_model(modelId)) return (await this.get_model(modelId)) as base.DOMWidgetModel;
    this.await(modelId, later);
    return undefined;
  }

  private await(modelId: string, known: () => void): void {
    this.waiting.set(modelId, (this.waiting.get(modelId) ?? new Set()).add(known));
  }

  override register_model(modelId: string, model: Promise<base.WidgetModel>): void {
    super.register_model(modelId, model);
    const waiting = this.waiting.get(modelId);
    this.waiting.delete(modelId);
    for (const later of waiting ?? []) later();
  }

  /** All states from the kernel: whoever comes late, or was away, knows what the others know. */
  private askForAll(): Promise<void> {
    this.asked?.close();
    this.giveUp?.();
    const channel = this.channel(randomId(), CONTROL);
    this.asked = channel;
    return new Promise((resolve) => {
      this.giveUp = resolve;
      channel.on_close(() => resolve()); // a kernel without ipywidgets knows no such target
      channel.on_msg((message) => {
        channel.close();
        this.channels.delete(channel.comm_id);
        if (this.asked !== channel) return resolve();
        this.asked = undefined;
        this.takeStates(message as StatesMessage).then(resolve, (error: unknown) => {
          console.warn("The states of widgets could not be taken.", error);
          resolve();
        });
      });
      channel.open({}, undefined, { version: "1.0.0" });
      channel.send({ method: "request_states" });
    });
  }

  /** Models that are here are newer than the answer, unless messages were missed. */
  private async takeStates({ content: { data }, buffers }: StatesMessage): Promise<void> {
    const paths = new Map<string, { path: (string | number)[]; buffer: DataView }[]>();
    (data.buffer_paths ?? []).forEach(([id, ...path], index) => {
      paths.set(String(id), [...(paths.get(String(id)) ?? []), { path, buffer: buffers[index]! }]);
    });
    const { outdated } = this;
    this.outdated = false;
    await Promise.all(
      Object.entries(data.states ?? {}).map(async ([id, known]) => {
        const binary = paths.get(id) ?? [];
        base.put_buffers(known as never, binary.map(({ path }) => path), binary.map(({ buffer }) => buffer));
        if (!this.has_model(id)) {
          const { model_name, model_module, model_module_version } = known;
          await this.new_model({ model_name, model_module, model_module_version, model_id: id, comm: this.channel(id, TARGET) }, known.state as never);
        } else if (outdated) {
          const model = await this.get_model(id);
          const Kind = model.constructor as typeof base.WidgetModel;
          model.set_state(await Kind._deserialize_state(known.state as never, this));
        }
      }),
    );
  }

  private async forget(): Promise<void> {
    for (const channel of this.channels.values()) channel.cut();
    this.channels.clear();
    this.asked = undefined;
    this.knownAll = undefined;
    this.giveUp?.();
    await this.clear_state();
  }

  private take(event: CommSent): void {
    if (event.phase !== "open") {
      this.channels.get(event.commId)?.deliver(event);
      if (event.phase === "close") this.channels.delete(event.commId);
    } else if (event.targetName === TARGET && !this.has_model(event.commId)) {
      const channel = this.channel(event.commId, TARGET);
      void this.opened(channel, event);
    }
  }

  private async opened(channel: Channel, event: CommSent): Promise<void> {
    const { data, metadata } = event;
    const message = {
      content: { comm_id: event.commId, target_name: TARGET, data: structuredClone(data) },
      metadata: { version: "2.1.0", ...metadata },
      buffers: viewsOf(event),
    };
    type Opening = Parameters<ManagerBase["handle_comm_open"]>[1];
    await this.handle_comm_open(channel, message as unknown as Opening).catch((error: unknown) => {
      console.warn("A widget could not be made.", error);
    });
  }

  private channel(commId: string, target: string): Channel {
    const channel = new Channel(this.notebook, commId, target);
    this.channels.set(commId, channel);
    return channel;
  }

  protected override async _create_comm(target: string, modelId?: string, data?: unknown, metadata?: object, buffers?: Buffers): Promise<Channel> {
    const channel = this.channel(modelId ?? randomId(), target);
    if (data !== undefined) channel.open(data, undefined, metadata, buffers);
    return Promise.resolve(channel);
  }

  protected override _get_comm_info(): Promise<object> {
    return Promise.resolve({});
  }

  protected override loadClass(className: string, moduleName: string): Promise<AnyClass> {
    const found = this.modules[moduleName]?.[className];
    if (found === undefined) {
      return Promise.reject(new Error(`This page has no front end for ${className} of ${moduleName}.`));
    }
    return Promise.resolve(found as AnyClass);
  }
}

/** HTML in a widget is cleaned, and kept in a shadow root, as any other HTML of outputs. */
function cleaned<T extends typeof controls.HTMLView>(View: T): T {
  class CleanView extends (View as typeof controls.HTMLView) {
    override update(): void {
      fillClean(this.content, String(this.model.get("value") ?? ""));
      controls.StringView.prototype.update.call(this);
    }
  }
  return CleanView as unknown as T;
}
