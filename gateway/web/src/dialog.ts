/** What every dialog over the page does: opens as a modal one, and gives the focus back to where it was. */

import { useEffect, useRef } from "preact/hooks";

import { useNotebook } from "./context";

interface Opened {
  dialog: { current: HTMLDialogElement | null };
  /** Closes it; the focus goes back now. */
  close: () => void;
  /** For `onClose`: the browser closed it, by Esc. */
  closed: () => void;
}

export function useDialog(): Opened {
  const notebook = useNotebook();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    if (dialog.current) dialog.current.scrollTop = 0; // what has the focus may stand at the end
  }, []);
  const closed = () => {
    if (dialog.current) notebook.overlay.value = undefined; // else it is gone, and another one may be open by now
  };
  const close = () => {
    dialog.current?.close();
    closed();
  };
  return { dialog, close, closed };
}
