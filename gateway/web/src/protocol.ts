// Generated from tailrace_protocol by `make types`; do not edit.
// A field with `?` is absent when it has nothing to say.

export type CellType = "python" | "sql" | "markdown";

export type CellMode = "auto" | "manual" | "disabled";

export type Status = "idle" | "queued" | "running" | "success" | "error" | "stale" | "blocked" | "disabled" | "interrupted";

export type KernelState = "starting" | "idle" | "busy" | "unresponsive" | "dead" | "restarting";

export type RunMode = "reactive" | "single" | "stale" | "all";

export type Topic = "cell" | "graph" | "command" | "session" | "project" | "kernel" | "db" | "run" | "comm";

export interface Since {
  epoch: string;
  seq: number;
}

export interface Attach {
  type: "attach";
  id: string;
  key?: string;
  client?: string;
  since?: Since;
  topics?: Topic[];
  name?: string;
  batch?: boolean;
}

export interface CreateCell {
  type: "create_cell";
  id: string;
  cellType: CellType;
  afterCellId?: string | null;
  index?: number;
  code?: string;
}

export interface CellUpdate {
  type: "cell_update";
  id: string;
  cellId: string;
  code: string;
  baseVersion?: number;
}

export interface CellText {
  cellId: string;
  code: string;
  baseVersion?: number;
}

export interface UpdateCells {
  type: "update_cells";
  id: string;
  cells: CellText[];
}

export interface DeleteCell {
  type: "delete_cell";
  id: string;
  cellId: string;
}

export interface MoveCell {
  type: "move_cell";
  id: string;
  cellId: string;
  afterCellId: string | null;
}

export interface SetCell {
  type: "set_cell";
  id: string;
  cellId: string;
  cellType?: CellType;
  name?: string;
  mode?: CellMode;
  execution?: "local" | "cluster";
  connection?: string;
  result?: string;
}

export interface SetNotebook {
  type: "set_notebook";
  id: string;
  autoRun?: boolean;
  lazy?: boolean;
  cutoff?: boolean;
  frames?: "pandas" | "polars";
  earlyQueries?: boolean;
  name?: string;
}

export interface RunCell {
  type: "run_cell";
  id: string;
  cellId: string;
  code?: string;
  codeHash?: string;
}

export interface RunAll {
  type: "run_all";
  id: string;
}

export interface RunStale {
  type: "run_stale";
  id: string;
}

export interface Interrupt {
  type: "interrupt";
  id: string;
  runId?: string;
}

export interface RestartKernel {
  type: "restart_kernel";
  id: string;
  rerun?: boolean;
}

export interface UpdateDbConnection {
  type: "update_db_connection";
  id: string;
  connectionString: string | null;
  name?: string;
  readOnly?: boolean;
}

export interface Undo {
  type: "undo";
  id: string;
}

export interface Redo {
  type: "redo";
  id: string;
}

export interface Complete {
  type: "complete";
  id: string;
  cellId: string;
  code: string;
  cursor: number;
}

export interface Inspect {
  type: "inspect";
  id: string;
  cellId: string;
  code: string;
  cursor: number;
}

export interface VariablePage {
  type: "variable_page";
  id: string;
  name?: string;
  offset?: number;
  limit?: number;
}

export interface TablePage {
  type: "table_page";
  id: string;
  cellId: string;
  outputIndex: number;
  offset?: number;
  limit?: number;
  sort?: Record<string, unknown>[];
  filter?: string;
  token?: string;
}

export interface Schema {
  type: "schema";
  id: string;
  connection?: string;
  path?: string[];
  refresh?: boolean;
}

export interface RenameVariable {
  type: "rename_variable";
  id: string;
  name: string;
  newName: string;
}

export interface StdinReply {
  type: "stdin_reply";
  id: string;
  cellId: string;
  value: string;
  requestId?: string;
}

export interface Comm {
  type: "comm";
  id: string;
  commId: string;
  phase: "open" | "msg" | "close";
  data: Record<string, unknown>;
  cellId?: string;
  targetName?: string;
  metadata?: Record<string, unknown>;
  buffers?: (string | Uint8Array)[];
}

export interface Presence {
  type: "presence";
  id: string;
  cellId?: string;
}

export interface Subscribe {
  type: "subscribe";
  id: string;
  topics: Topic[];
}

export interface Save {
  type: "save";
  id: string;
}

export interface Ping {
  type: "ping";
  id: string;
}

export interface Cause {
  client: string;
  id: string;
}

export interface Diagnostic {
  kind: string;
  message: string;
  line?: number;
  column?: number;
  cells?: string[];
  names?: string[];
}

export interface StreamOutput {
  kind: "stream";
  index: number;
  stream: "stdout" | "stderr";
  text: string;
}

export interface DisplayOutput {
  kind: "display";
  index: number;
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
  displayId?: string;
  executionCount?: number;
}

export interface ResultOutput {
  kind: "result";
  index: number;
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
  displayId?: string;
  executionCount?: number;
}

export interface ErrorOutput {
  kind: "error";
  index: number;
  ename: string;
  evalue: string;
  traceback: string[];
  line?: number;
}

export interface Reason {
  code: string;
  request?: string;
  names?: string[];
  fromCells?: string[];
  message?: string;
}

export interface CellError {
  ename: string;
  evalue: string;
  traceback: string[];
  line?: number;
}

export interface Cell {
  id: string;
  type: CellType;
  code: string;
  mode: CellMode;
  execution: "local" | "cluster";
  version: number;
  status: Status;
  reads: string[];
  writes: string[];
  diagnostics: Diagnostic[];
  analysed: boolean;
  outputs: (StreamOutput | DisplayOutput | ResultOutput | ErrorOutput)[];
  stdout: string;
  name?: string;
  connection?: string;
  result?: string;
  reason?: Reason;
  seconds?: number;
  executionCount?: number;
  error?: CellError;
  omittedBytes?: number;
  outsideEffects?: string[];
}

export interface CellCreated {
  type: "cell_created";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
  cell: Cell;
  index: number;
  afterCellId: string | null;
}

export interface CellPatch {
  type: CellType;
  code: string;
  mode: CellMode;
  execution: "local" | "cluster";
  version: number;
  status: Status;
  reads: string[];
  writes: string[];
  diagnostics: Diagnostic[];
  analysed: boolean;
  name?: string;
  connection?: string;
  result?: string;
  reason?: Reason;
  outsideEffects?: string[];
}

export interface CellUpdated {
  type: "cell_updated";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
  cell: CellPatch;
}

export interface CellDeleted {
  type: "cell_deleted";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
}

export interface CellMoved {
  type: "cell_moved";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
  index: number;
  afterCellId: string | null;
}

export interface CellStatus {
  type: "cell_status";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
  status: Status;
  reason?: Reason;
  seconds?: number;
  version?: number;
  runId?: string;
  executionCount?: number;
}

export interface CellStdout {
  type: "cell_stdout";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
  data: string;
  stream: "stdout" | "stderr";
}

export interface CellOutput {
  type: "cell_output";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
  output: StreamOutput | DisplayOutput | ResultOutput | ErrorOutput;
}

export interface CellOutputUpdated {
  type: "cell_output_updated";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
  displayId: string;
  output: StreamOutput | DisplayOutput | ResultOutput | ErrorOutput;
}

export interface CellOmitted {
  type: "cell_omitted";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
  bytes: number;
}

export interface CellOutputsCleared {
  type: "cell_outputs_cleared";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
  wait: boolean;
}

export interface CellErrored {
  type: "cell_error";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
  error: CellError;
}

export interface NodeCreated {
  type: "graph:node-created";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
}

export interface NodeDeleted {
  type: "graph:node-deleted";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
}

export interface NodeLinked {
  type: "graph:node-linked";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  from: string;
  to: string;
  names: string[];
  learned?: boolean;
}

export interface NodeUnlinked {
  type: "graph:node-unlinked";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  from: string;
  to: string;
}

export interface PropertyChanged {
  type: "graph:property-changed";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  property: string;
  value: unknown;
  cellId?: string;
  previous?: unknown;
}

export interface PropertyDeleted {
  type: "graph:property-deleted";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  property: string;
  cellId?: string;
  previous?: unknown;
}

export interface Edge {
  from: string;
  to: string;
  names: string[];
  learned?: boolean;
}

export interface Graph {
  edges: Edge[];
  cycles: string[][];
  version: number;
}

export interface GraphReplaced {
  type: "graph:replaced";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  graph: Graph;
}

export interface CommandExecuting {
  type: "command:executing";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  command: string;
  id: string;
  client: string;
  cellId?: string;
}

export interface CommandExecuted {
  type: "command:executed";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  command: string;
  id: string;
  client: string;
  seconds: number;
  revision: number;
  cellId?: string;
}

export interface CommandFailed {
  type: "command:failed";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  command: string;
  id: string;
  client: string;
  code: string;
  message: string;
  cellId?: string;
}

export interface CommandUndo {
  type: "command:undo";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  undid: string;
  client: string;
  revision: number;
}

export interface CommandRedo {
  type: "command:redo";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  undid: string;
  client: string;
  revision: number;
}

export interface Member {
  client: string;
  name: string;
  cellId?: string;
}

export interface SessionConnected {
  type: "session:connected";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  client: string;
  name: string;
  role: string;
  clients: Member[];
}

export interface SessionDisconnected {
  type: "session:disconnected";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  client: string;
  clients: Member[];
}

export interface SessionMoved {
  type: "session:moved";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  client: string;
  clients: Member[];
}

export interface ProjectSaved {
  type: "project:saved";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  revision: number;
  path: string;
}

export interface ProjectLoaded {
  type: "project:loaded";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  path: string;
  graph: Graph;
}

export interface ProjectChangedOnDisk {
  type: "project:changed_on_disk";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  conflicts: string[];
}

export interface Settings {
  autoRun: boolean;
  lazy: boolean;
  cutoff: boolean;
  frames: "pandas" | "polars";
  earlyQueries: boolean;
}

export interface NotebookUpdated {
  type: "project:settings";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  name: string;
  settings: Settings;
}

export interface KernelStatus {
  type: "kernel_status";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  state: KernelState;
  pid?: number;
  queue?: number;
  kernelCause?: string;
}

export interface InputRequested {
  type: "input_requested";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
  prompt: string;
  password: boolean;
  requestId: string;
}

export interface InputAnswered {
  type: "input_answered";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  cellId: string;
  requestId: string;
}

export interface RunStarted {
  type: "run_started";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  runId: string;
  cells: string[];
  plan: string[];
  mode: RunMode;
  expectedSeconds?: number;
}

export interface RunProgress {
  type: "run_progress";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  runId: string;
  done: number;
  total: number;
  cellId: string;
}

export interface RunCounts {
  success: number;
  error: number;
  skipped: number;
}

export interface RunFinished {
  type: "run_finished";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  runId: string;
  status: "success" | "error" | "interrupted" | "lost";
  counts: RunCounts;
  seconds: number;
}

export interface WireError {
  code: string;
  message: string;
}

export interface DbConnectionUpdated {
  type: "db_connection_updated";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  name: string;
  connectionString: string;
  status: "success" | "error";
  inForce: string;
  error?: WireError;
  dialect?: string;
  seconds?: number;
  note?: string;
}

export interface CommSent {
  type: "comm";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  commId: string;
  phase: "open" | "msg" | "close";
  data: Record<string, unknown>;
  cellId?: string;
  targetName?: string;
  metadata?: Record<string, unknown>;
  buffers?: (string | Uint8Array)[];
}

export interface ReadOnly {
  type: "read_only";
  seq: number;
  ts: number;
  notebookId: string;
  cause?: Cause;
  hash?: string;
  reason?: string;
}

export interface Ack {
  type: "ack";
  id: string;
  revision: number;
  seq: number;
  result?: Record<string, unknown>;
}

export interface Error {
  type: "error";
  id: string | null;
  code: string;
  message: string;
  details?: Record<string, unknown>;
  retry?: number;
}

export interface Pong {
  type: "pong";
  id: string;
  serverTime: number;
}

export interface Position {
  type: "position";
  seq: number;
}

export interface Resync {
  type: "resync";
  reason: "slow" | "epoch" | "bulk";
}

export interface Conflict {
  type: "conflict";
  cellId: string;
  yours: string;
  theirs: string;
  base: string;
  version: number;
}

export interface NotebookInfo {
  id: string;
  path: string;
  name: string;
  settings: Settings;
}

export interface Kernel {
  state: KernelState;
  pid?: number;
  queue?: number;
  cause?: string;
}

export interface Connection {
  name: string;
  status: "success" | "error" | "needs_credentials";
  connectionString: string;
  dialect?: string;
  error?: WireError;
  seconds?: number;
  note?: string;
}

export interface Run {
  runId: string;
  plan: string[];
  done: number;
  mode: RunMode;
}

export interface Input {
  cellId: string;
  prompt: string;
  password: boolean;
  requestId: string;
}

export interface Snapshot {
  type: "snapshot";
  epoch: string;
  seq: number;
  revision: number;
  hash: string;
  notebook: NotebookInfo;
  cells: Cell[];
  graph: Graph;
  kernel: Kernel;
  db: Connection[];
  clients: Member[];
  run?: Run;
  readOnly?: string;
  input?: Input;
}

export type Output = StreamOutput | DisplayOutput | ResultOutput | ErrorOutput;

export type Command = Attach | CreateCell | CellUpdate | UpdateCells | DeleteCell | MoveCell | SetCell | SetNotebook | RunCell | RunAll | RunStale | Interrupt | RestartKernel | UpdateDbConnection | Undo | Redo | Complete | Inspect | VariablePage | TablePage | Schema | RenameVariable | StdinReply | Comm | Presence | Subscribe | Save | Ping;

export type Event = CellCreated | CellUpdated | CellDeleted | CellMoved | CellStatus | CellStdout | CellOutput | CellOutputUpdated | CellOmitted | CellOutputsCleared | CellErrored | NodeCreated | NodeDeleted | NodeLinked | NodeUnlinked | PropertyChanged | PropertyDeleted | GraphReplaced | CommandExecuting | CommandExecuted | CommandFailed | CommandUndo | CommandRedo | SessionConnected | SessionDisconnected | SessionMoved | ProjectSaved | ProjectLoaded | ProjectChangedOnDisk | NotebookUpdated | KernelStatus | InputRequested | InputAnswered | RunStarted | RunProgress | RunFinished | DbConnectionUpdated | CommSent | ReadOnly;

export type Control = Ack | Error | Pong | Position | Resync | Conflict | Snapshot;
