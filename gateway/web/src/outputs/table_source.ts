/** Which outputs are tables whose rows can be asked for, and how. Pure. */

import type { CellType, DisplayOutput, ResultOutput } from "../protocol";
import { asText } from "./registry";

const MIME = "application/vnd.tailrace.table+json";

type Shown = DisplayOutput | ResultOutput;

/** How to ask for the rows: those of a SQL cell by the cell alone, those of a DataFrame by its token. */
export interface TableSource {
  /** Changes with every table that is shown. */
  key: string;
  token?: string;
  size?: string;
}

export function tableOf(type: CellType, { data }: Shown): TableSource | undefined {
  const reference = data[MIME] as { token?: unknown; rows?: unknown; columns?: unknown } | undefined;
  if (typeof reference?.token === "string") {
    return { key: reference.token, token: reference.token, size: sizeInWords(Number(reference.rows), Number(reference.columns)) };
  }
  const isSql = type === "sql" && "text/html" in data && asText(data["text/html"]).includes("<table");
  return isSql ? { key: asText(data["text/plain"] ?? "") } : undefined;
}

export function sizeInWords(rows: number, columns: number): string {
  return `${rows.toLocaleString()} ${rows === 1 ? "row" : "rows"} × ${columns.toLocaleString()} ${columns === 1 ? "column" : "columns"}`;
}
