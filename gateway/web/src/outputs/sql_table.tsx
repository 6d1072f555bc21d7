/** The table of an SQL cell: as the kernel drew it, and on request page by page, sorted, filtered, or as a file. */

import type { ComponentType } from "preact";
import { useState } from "preact/hooks";

import type { CellType, DisplayOutput, ResultOutput } from "../protocol";
import { asText } from "./registry";
import type { PagesProps } from "./table_pages";
import { Rich } from "./view";

type Shown = DisplayOutput | ResultOutput;

export function isSqlTable(type: CellType, output: Shown): boolean {
  return type === "sql" && "text/html" in output.data && asText(output.data["text/html"]).includes("<table");
}

export function SqlTable({ cellId, output }: { cellId: string; output: Shown }) {
  const [pages, setPages] = useState<{ Pages: ComponentType<PagesProps> } | undefined>();
  const open = async () => setPages(await import("./table_pages"));
  return (
    <div class="sql-table">
      {pages ? <pages.Pages key={asText(output.data["text/plain"] ?? "")} cellId={cellId} outputIndex={output.index} close={() => setPages(undefined)} /> : <Rich output={output} />}
      {!pages && <button class="quiet" onClick={() => void open()}>Page, sort, filter or download</button>}
    </div>
  );
}
