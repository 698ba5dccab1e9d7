/**
 * The process that sends the load: separate from the measuring command, so that neither waits for the other's event
 * loop. It runs its parent's commands (`load.ts`) over IPC, and ends with the parent.
 */
import { randomBytes } from "node:crypto";
import { LoadClient } from "./client";
import { findPosts } from "./find-posts";
import { commandSchema, type Command, type LoadTotals, type Reply } from "./messages";
import { Workload } from "./workload";

const PROGRESS_MS = 1_000;

// Ctrl-C in a terminal reaches the whole process group, as a pipeline's cancellation may. The parent decides when the
// load ends.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
process.on("disconnect", () => process.exit(0));

const send = (reply: Reply): void => {
  if (process.connected) process.send?.(reply, () => undefined);
};

let running: {
  readonly workload: Workload;
  readonly client: LoadClient;
  readonly stop: () => Promise<LoadTotals>;
};

const start = (plan: Extract<Command, { command: "start" }>["plan"]): void => {
  const client = new LoadClient(plan);
  const runId = `bluegreen-${randomBytes(6).toString("hex")}`;
  const workload = new Workload({ plan, client, runId, random: Math.random });
  const progress = setInterval(() => send({ type: "progress", ...workload.takeProgress() }), PROGRESS_MS);
  const stop = async (): Promise<LoadTotals> => {
    const counts = await workload.stop();
    clearInterval(progress);
    send({ type: "progress", ...workload.takeProgress() });
    const { user, system } = process.cpuUsage();
    const posts = await findPosts(plan, client, workload.acknowledged);
    await client.close();
    return {
      ...counts,
      ...posts,
      failedRequests: workload.failedRequests,
      cpuSeconds: (user + system) / 1e6,
    };
  };
  running = { workload, client, stop };
};

const run = (command: Command): unknown => {
  switch (command.command) {
    case "start":
      return start(command.plan);
    case "beginStep":
      return running.workload.beginStep(command.name);
    case "endStep":
      return running.workload.endStep();
    case "stop":
      return running.stop();
  }
};

process.on("message", (message) => {
  const command = commandSchema.parse(message);
  // Runs synchronously to its first await, so that a step begins and ends when its message is read.
  const answer = (async (): Promise<unknown> => run(command))();
  answer.then(
    (result) => send({ type: "done", id: command.id, result }),
    (error: unknown) => send({ type: "refused", id: command.id, reason: String((error as Error).message) }),
  );
});
