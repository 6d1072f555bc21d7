/** A cell that waits for input(): its prompt and a field. */

import { useSignal } from "@preact/signals";

import { useNotebook } from "./context";
import { inputType } from "./input_type";

export function StdinPrompt({ cellId }: { cellId: string }) {
  const notebook = useNotebook();
  const answered = useSignal("");
  const request = notebook.store.input.value;
  if (!request || request.cellId !== cellId || request.requestId === answered.value) return null;
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    const field = (event.currentTarget as HTMLFormElement).elements.namedItem("answer") as HTMLInputElement;
    notebook.answerInput(cellId, request.requestId, field.value);
    field.value = "";
    answered.value = request.requestId;
  };
  return (
    <form class="stdin" onSubmit={send} autocomplete="off">
      <label>
        <span>{request.prompt || "Input"}</span>
        <input name="answer" type={inputType(request.password)} />
      </label>
      <button type="submit">Send</button>
    </form>
  );
}
