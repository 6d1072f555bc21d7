/** The Output widget: its state holds outputs as a notebook file has them, drawn as those of cells are. */

import { DOMWidgetModel, DOMWidgetView } from "@jupyter-widgets/base";
import { render } from "preact";

import { NotebookContext } from "../context";
import type { Notebook } from "../notebook";
import { Outputs } from "../outputs/view";
import { outputsOf } from "./file_outputs";

const MODULE = "@jupyter-widgets/output";
const VERSION = "1.0.0";

export class OutputModel extends DOMWidgetModel {
  override defaults() {
    return {
      ...super.defaults(),
      _model_name: "OutputModel", _view_name: "OutputView", _model_module: MODULE, _view_module: MODULE,
      _model_module_version: VERSION, _view_module_version: VERSION, outputs: [], msg_id: "",
    };
  }
}

/** The class of views for one notebook. */
export function outputView(notebook: Notebook): typeof DOMWidgetView {
  return class extends DOMWidgetView {
    override render(): void {
      super.render();
      this.el.classList.add("output-widget");
      this.listenTo(this.model, "change:outputs", () => this.draw());
      this.draw();
    }

    private draw(): void {
      const outputs = outputsOf(this.model.get("outputs"));
      const cell = { id: this.model.model_id, type: "python" as const };
      render(
        <NotebookContext.Provider value={notebook}>
          {outputs.length > 0 && <Outputs cell={cell} outputs={outputs} omittedBytes={undefined} gotoLine={() => undefined} inside />}
        </NotebookContext.Provider>,
        this.el,
      );
    }

    override remove(): this {
      render(null, this.el);
      return super.remove() as this;
    }
  };
}
