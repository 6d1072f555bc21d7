/** A command that was refused or not answered: what, why, and a way on. */

import { useNotebook } from "./context";

/** `place` is a cell id, "db", or "" for what belongs to the whole notebook. */
export function ProblemNote({ place }: { place: string }) {
  const notebook = useNotebook();
  const problem = notebook.outbox.problems.value.get(place);
  if (!problem) return null;
  return (
    <div class="problem" role="alert" data-testid="problem" data-code={problem.code}>
      <p>
        {problem.message} <code>{problem.code}</code>
      </p>
      <button onClick={() => notebook.retry(problem.id, problem.command, place)}>Retry</button>
      <button onClick={() => notebook.outbox.dismiss(problem.id)}>Dismiss</button>
    </div>
  );
}
