/** A page that has only one thing to say. */

import { Brand } from "./brand";

export function Note({ title, text, retry }: { title: string; text: string; retry?: () => void }) {
  return (
    <main class="note-page">
      <Brand />
      <h1>{title}</h1>
      <p>{text}</p>
      <p class="row">
        {retry && <button class="primary" onClick={retry}>Try again</button>}
        <a class="button" href="/">All notebooks</a>
      </p>
    </main>
  );
}
