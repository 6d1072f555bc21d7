/**
 * Start of the page: log in with the code of the address, then show the list (`/`) or one notebook (`/notebooks/{id}`,
 * `/?notebook={id}`). The names, roles and data attributes that browser tests rely on are listed in ../README.md.
 */

import { render } from "preact";

import { LoginPage } from "./login_page";
import { Note } from "./note";
import { NotebookList } from "./notebook_list";
import { NotebookPage } from "./notebook_page";
import { HttpError, loginFromAddress, pageKey } from "./session";
import "./styles/page.css";
import { applyTheme } from "./theme";

function notebookId(): string | undefined {
  const inPath = /^\/notebooks\/([\w-]+)\/?$/.exec(location.pathname)?.[1];
  return inPath ?? new URLSearchParams(location.search).get("notebook") ?? undefined;
}

function show(): void {
  const root = document.getElementById("app")!;
  const id = notebookId();
  if (pageKey() === undefined) render(<LoginPage done={show} />, root);
  else if (id === undefined) render(<NotebookList />, root);
  else render(<NotebookPage id={id} key={id} />, root);
}

async function start(): Promise<void> {
  applyTheme();
  try {
    await loginFromAddress();
  } catch (error) {
    // An old code is no harm to somebody who is logged in already.
    if (pageKey() === undefined) {
      const text = error instanceof HttpError ? error.message : "The gateway does not answer.";
      render(<Note title="This address does not let you in" text={text} />, document.getElementById("app")!);
      return;
    }
  }
  show();
}

addEventListener("hashchange", () => void start()); // the printed link, opened where the page is open already
void start();
