/** What a browser without a key sees: how to get in. */

import { useSignal } from "@preact/signals";

import { Brand } from "./brand";
import { login } from "./session";

export function LoginPage({ done }: { done: () => void }) {
  return (
    <main class="note-page" data-testid="login">
      <Brand />
      <h1>Open the URL that Tailrace printed</h1>
      <p>
        The terminal that runs <code>tailrace serve</code> (or <code>make run</code>) shows an address that ends in <code>#code=…</code>.
        It lets one browser in, once; press Enter in that terminal for another one. You can also paste it here.
      </p>
      <LoginForm done={done} />
    </main>
  );
}

/** Takes the whole printed address or its code alone. */
export function LoginForm({ done }: { done: () => void }) {
  const failure = useSignal("");
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const field = (event.currentTarget as HTMLFormElement).elements.namedItem("code") as HTMLInputElement;
    const code = field.value.trim().replace(/^.*#code=/, "");
    try {
      await login(code);
      done();
    } catch (error) {
      failure.value = error instanceof Error ? error.message : String(error);
    }
  };
  return (
    <form class="login" onSubmit={(event) => void submit(event)} autocomplete="off">
      <input name="code" type="password" aria-label="Printed address or code" placeholder="http://127.0.0.1:…/#code=…" />
      <button type="submit" class="primary">Log in</button>
      {failure.value !== "" && <p role="alert">{failure.value}</p>}
    </form>
  );
}
