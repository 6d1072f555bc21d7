/** The table of a SQL cell or a DataFrame: as the kernel drew it, and on request page by page, sorted, filtered, or as a file. */

import type { ComponentType } from "preact";
import { useState } from "preact/hooks";

import type { DisplayOutput, ResultOutput } from "../protocol";
import type { PagesProps } from "./table_pages";
import type { TableSource } from "./table_source";
import { Rich } from "./view";

type Shown = DisplayOutput | ResultOutput;

export function Table({ cellId, output, source }: { cellId: string; output: Shown; source: TableSource }) {
  const [pages, setPages] = useState<{ Pages: ComponentType<PagesProps> } | undefined>();
  const open = async () => setPages(await import("./table_pages"));
  return (
    <div class="table-output">
      {pages ? <pages.Pages key={source.key} cellId={cellId} outputIndex={output.index} token={source.token} close={() => setPages(undefined)} /> : <Rich output={output} />}
      {!pages && (
        <p class="table-tools">
          {source.size !== undefined && <span>{source.size}</span>}
          <button class="quiet" onClick={() => void open()}>Page, sort, filter or download</button>
        </p>
      )}
    </div>
  );
}
