/** The database of the notebook: one field that takes a URL, tests it, and says what came of it. */

import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";

import { duration } from "./cell_state";
import { useNotebook } from "./context";
import { hasPassword, withoutSecrets } from "./database_url";
import { Icon } from "./icons";
import { inputType } from "./input_type";
import { ProblemNote } from "./problem_note";
import type { Connection } from "./protocol";

export function DbField() {
  const notebook = useNotebook();
  const field = useRef<HTMLInputElement>(null);
  const text = useSignal("");
  const shown = useSignal(false);
  const asked = useSignal<string | undefined>(undefined);
  const connection = useComputed(() => notebook.store.db.value.find((one) => one.name === "default"));
  const sent = useRef("");
  const secret = hasPassword(text.value);
  const busy = asked.value !== undefined && notebook.outbox.waiting.value >= 0 && notebook.outbox.has(asked.value);
  const embedded = connection.value === undefined || (connection.value.dialect === "duckdb" && connection.value.status === "success");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const url = text.value.trim();
    if (url === "") return field.current?.focus();
    asked.value = notebook.connectDatabase(url);
    sent.current = withoutSecrets(url);
    write(""); // what was typed may hold a password
  };
  const write = (url: string) => {
    text.value = url;
    if (field.current) field.current.value = url;
  };
  useSignalEffect(() => {
    const status = connection.value?.status;
    if (status === "error" && sent.current !== "" && text.peek() === "") write(sent.current); // to be mended
    if (status === "error" || status === "success") sent.current = "";
  });
  return (
    <form class="db" onSubmit={submit} autocomplete="off" aria-label="Database">
      <Icon name="database" />
      <span class="db-box">
        <input
          ref={field} data-testid="db" aria-label="Database connection" spellcheck={false} autocapitalize="off"
          autocomplete={secret ? "new-password" : "off"} type={inputType(secret && !shown.value)}
          placeholder={connection.value?.connectionString || "postgresql://user@host/name"}
          onInput={(event) => (text.value = event.currentTarget.value)}
        />
        {secret && (
          <button type="button" class="quiet" aria-pressed={shown.value} onClick={() => (shown.value = !shown.value)}>
            {shown.value ? "Hide" : "Show"}
          </button>
        )}
      </span>
      <button type="submit">Connect</button>
      {!embedded && (
        <button type="button" title="Go back to the embedded DuckDB" onClick={() => (asked.value = notebook.connectDatabase(null))}>
          Use DuckDB
        </button>
      )}
      <Answer connection={connection.value} busy={busy} />
      <ProblemNote place="db" />
    </form>
  );
}

function Answer({ connection, busy }: { connection: Connection | undefined; busy: boolean }) {
  const status = busy ? "connecting" : (connection?.status ?? "embedded");
  return (
    <span class="db-status" data-testid="db-status" data-status={status} role="status">
      {words(connection, busy)}
    </span>
  );
}

function words(connection: Connection | undefined, busy: boolean): string {
  if (busy) return "Connecting…";
  if (!connection) return "DuckDB, embedded";
  switch (connection.status) {
    case "success":
      return [
        `${connection.dialect ?? "Database"} connected${connection.seconds === undefined ? "" : `, ${duration(connection.seconds)}`}`,
        ...(connection.note ? [connection.note] : []),
      ].join(": ");
    case "needs_credentials":
      return "Enter the connection with its password again: passwords are not kept.";
    case "error":
      return connection.error?.message ?? "The connection failed.";
  }
}
