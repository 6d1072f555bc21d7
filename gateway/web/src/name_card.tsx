/** A card on one name: type, shape, value, the cell it comes from, its documentation. A chunk of its own. */

import { render } from "preact";

import { writerFor } from "./cell_actions";
import { CellLink } from "./cell_link";
import { byteCount } from "./cell_state";
import { NotebookContext } from "./context";
import type { Card } from "./inspector";
import type { Notebook } from "./notebook";
import type { Variable } from "./panels/variables_panel";
import "./styles/name_card.css";

export interface Help {
  signature?: string;
  docstring?: string;
}

interface Known {
  name: string;
  variable?: Variable | undefined;
  help?: Help | undefined;
  writer?: string | undefined;
}

interface Asked {
  cellId: string;
  code: string;
  cursor: number; // code points
  /** The variable at the cursor; undefined on attributes and the like. */
  name: string | undefined;
  explicit: boolean;
  python: boolean;
}

/** Values whose own words are what a person wants to see; of others the words may take long to make. */
const EXPLAINED = /^(function|builtin_function_or_method|type|module|method|abc\.ABCMeta|functools\.partial)$/;

/** Undefined when there is nothing to say. Never waits behind a running cell. */
export async function cardOf(notebook: Notebook, asked: Asked): Promise<Card | undefined> {
  const { name, cellId } = asked;
  if (notebook.connection.state.peek() !== "live") return undefined;
  const variable = name === undefined ? undefined : await variableOf(notebook, name);
  const wantsHelp = asked.python && (asked.explicit || !variable || EXPLAINED.test(variable.type));
  const help = wantsHelp ? await helpOf(notebook, asked) : undefined;
  const writer = name === undefined ? undefined : (variable?.cell_id ?? writerFor(notebook, cellId, name));
  if (!variable && !help && writer === undefined) return undefined;
  const card = { name: name ?? "", variable, help, writer };
  if (asked.explicit) notebook.announcement.value = spoken(card, notebook.store.now.order);
  return drawn(notebook, card);
}

async function variableOf(notebook: Notebook, name: string): Promise<Variable | undefined> {
  const answer = await notebook.ask({ type: "variable_page", name });
  return ((answer?.["variables"] ?? []) as Variable[])[0];
}

async function helpOf(notebook: Notebook, { cellId, code, cursor }: Asked): Promise<Help | undefined> {
  const answer = await notebook.inspect(cellId, code, cursor);
  const data = answer?.["data"] as Record<string, unknown> | undefined;
  return answer?.["found"] === true ? helpIn(String(data?.["text/plain"] ?? "")) : undefined;
}

const ANSI = /\x1b\[[\d;]*m/g;
const TITLE = /^(?:Init |Call )?([Ss]ignature|Docstring|Class docstring|Init docstring|Call docstring|Type|String form|File|Length|Namespace|Subclasses|Source|Repr):/;

/** Signature and documentation in the text that IPython gives. Pure. */
export function helpIn(text: string): Help | undefined {
  const parts = new Map<string, string[]>();
  let part: string[] = [];
  for (const line of text.replace(ANSI, "").split("\n")) {
    const title = TITLE.exec(line);
    if (title) {
      part = [line.slice(title[0].length).trimStart()];
      const key = title[1]!.toLowerCase();
      if (!parts.has(key)) parts.set(key, part);
    } else part.push(line);
  }
  const signature = parts.get("signature")?.join("\n").trim();
  const docstring = (parts.get("docstring") ?? parts.get("class docstring") ?? parts.get("init docstring"))?.join("\n").trim();
  if (!signature && (!docstring || docstring === "<no docstring>")) return undefined;
  return { ...(signature && { signature }), ...(docstring && docstring !== "<no docstring>" && { docstring }) };
}

function spoken({ name, variable, help, writer }: Known, order: readonly string[]): string {
  const parts = [variable && `${name}: ${variable.type} ${variable.shape?.join(" by ") ?? ""}, ${variable.preview}`, help?.signature];
  if (writer !== undefined) parts.push(`from cell ${order.indexOf(writer) + 1}`);
  return `${parts.filter(Boolean).join(", ") || name}. Shift-Tab again goes there.`;
}

function drawn(notebook: Notebook, { name, variable, help, writer }: Known): Card {
  const card = document.createElement("div");
  card.className = "name-card";
  card.tabIndex = -1;
  card.setAttribute("role", "group");
  card.setAttribute("aria-label", name === "" ? "Documentation" : `About ${name}`);
  render(
    <NotebookContext.Provider value={notebook}>
      {(variable ?? writer) !== undefined && (
        <p class="headline">
          <code class="name">{name}</code>
          {variable && <span class="type-word">{variable.type}{variable.shape && variable.shape.length > 0 && ` ${variable.shape.join(" × ")}`}</span>}
          {variable?.size !== undefined && <span class="type-word">{byteCount(variable.size)}</span>}
          {writer !== undefined && <CellLink cellId={writer} />}
        </p>
      )}
      {variable && !help?.signature && <code class="preview">{variable.preview}</code>}
      {!variable && writer !== undefined && <p class="empty">It has no value yet: run its cell.</p>}
      {help?.signature && <pre class="signature">{help.signature}</pre>}
      {help?.docstring && <pre class="docstring" tabIndex={0} aria-label="Documentation">{help.docstring}</pre>}
    </NotebookContext.Provider>,
    card,
  );
  return { dom: card, destroy: () => render(null, card) };
}
