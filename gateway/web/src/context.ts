/** The open notebook, for every view below its page. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";

import type { Notebook } from "./notebook";

export const NotebookContext = createContext<Notebook | undefined>(undefined);

export function useNotebook(): Notebook {
  const notebook = useContext(NotebookContext);
  if (!notebook) throw new Error("This view belongs inside a notebook page.");
  return notebook;
}
