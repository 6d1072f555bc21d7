/** One page of a table at a time: the kernel keeps, sorts and filters the rows. A chunk of its own. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { useNotebook } from "../context";
import { download } from "../session";
import "../styles/table.css";

export interface PagesProps {
  cellId: string;
  outputIndex: number;
  /** Of a DataFrame. */
  token: string | undefined;
  close: () => void;
}

interface Page {
  columns: readonly { name: string; type: string }[];
  rows: readonly (readonly unknown[])[];
  total: number;
}

interface Sort {
  column: string;
  descending: boolean;
}

const ROWS = 50; // a page
const GONE = "The kernel has this table no more, because the cell ran again or the kernel is new: run the cell.";

export function Pages({ cellId, outputIndex, token, close }: PagesProps) {
  const notebook = useNotebook();
  const page = useSignal<Page | undefined>(undefined);
  const failure = useSignal("");
  const offset = useSignal(0);
  const sort = useSignal<Sort | undefined>(undefined);
  const filter = useSignal("");
  useEffect(() => {
    let late = false;
    const by = sort.value;
    const question = {
      type: "table_page" as const, cellId, outputIndex, offset: offset.value, limit: ROWS, filter: filter.value,
      ...(by && { sort: [{ ...by }] }),
      ...(token !== undefined && { token }),
    };
    void notebook.ask(question).then((answer) => {
      if (late) return;
      if (answer) page.value = answer as unknown as Page;
      failure.value = answer ? "" : by && page.peek() ? `These rows cannot be sorted by ${by.column}, or the kernel has this table no more: then run the cell.` : GONE;
    });
    return () => {
      late = true;
    };
  }, [offset.value, sort.value, filter.value]);
  const turn = (column: string) => {
    const now = sort.peek();
    sort.value = now?.column !== column ? { column, descending: false } : now.descending ? undefined : { column, descending: true };
    offset.value = 0;
  };
  const save = async (format: "csv" | "arrow") => {
    const which = new URLSearchParams({ format, ...(token !== undefined && { token }) });
    const place = `/api/v1/notebooks/${encodeURIComponent(notebook.id)}/tables/${encodeURIComponent(cellId)}/${outputIndex}?${which}`;
    await download(place, `${cellId}.${format === "csv" ? "csv" : "arrows"}`).catch((error: unknown) => (failure.value = String(error)));
  };
  const now = page.value;
  return (
    <div class="output pages" data-testid="pages">
      <p class="row">
        <input type="search" aria-label="Filter rows" placeholder="Filter rows" value={filter.value}
          onInput={(event) => ((filter.value = event.currentTarget.value), (offset.value = 0))} />
        <button onClick={() => void save("csv")}>CSV</button>
        <button onClick={() => void save("arrow")}>Arrow</button>
        <button onClick={close}>Close</button>
      </p>
      {failure.value !== "" && <p role="alert">{failure.value}</p>}
      {now && <Rows page={now} sort={sort.value} turn={turn} />}
      {now && (
        <p class="row">
          <button disabled={offset.value === 0} onClick={() => (offset.value = Math.max(0, offset.value - ROWS))}>Previous page</button>
          <span data-testid="page-range">
            {now.total === 0 ? "no rows" : `${(offset.value + 1).toLocaleString()} to ${(offset.value + now.rows.length).toLocaleString()} of ${now.total.toLocaleString()} rows`}
          </span>
          <span class="quiet-text">{now.columns.length.toLocaleString()} {now.columns.length === 1 ? "column" : "columns"}</span>
          <button disabled={offset.value + ROWS >= now.total} onClick={() => (offset.value += ROWS)}>Next page</button>
        </p>
      )}
    </div>
  );
}

function Rows({ page, sort, turn }: { page: Page; sort: Sort | undefined; turn: (column: string) => void }) {
  return (
    <div class="rows" tabIndex={0} role="group" aria-label="Rows">
      <table>
        <thead>
          <tr>
            {page.columns.map(({ name, type }) => {
              const order = sort?.column === name ? (sort.descending ? "descending" : "ascending") : "none";
              return (
                <th key={name} scope="col" aria-sort={order}>
                  <button onClick={() => turn(name)}>
                    <span>{name} <span aria-hidden="true">{order === "ascending" ? "▲" : order === "descending" ? "▼" : ""}</span></span>
                    <small>{type}</small>
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {page.rows.map((row, index) => (
            <tr key={index}>
              {row.map((value, column) => (
                <td key={column} class={typeof value === "number" ? "figure" : undefined}>{worded(value)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function worded(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
