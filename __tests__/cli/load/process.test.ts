/** The second process: what happens if it dies, if the rehearsal dies, and on Ctrl-C. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { Application, newLoad, plan, until, worker } from "./application";
import { Load } from "../../../cli/load/load";

let application: Application;
let load: Load;

beforeEach(async () => {
  application = await Application.listen();
  load = newLoad();
});

afterEach(async () => {
  await load.kill();
  await application.close();
});

const pidOf = (started: Load): number => {
  if (started.workerPid === undefined) throw new Error("the worker has no pid");
  return started.workerPid;
};

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test("if it dies, whoever waits for it is told, and so is whoever asks later", async () => {
  application.intercept = () => true;
  await load.start(plan(application.origin));
  await load.beginStep("crash");
  await until(() => application.seen.length >= 5);
  const ending = load.endStep();
  process.kill(pidOf(load), "SIGKILL");
  const message = "the load process ended unexpectedly (SIGKILL)";
  await expect(ending).rejects.toThrow(message);
  await expect(load.beginStep("next")).rejects.toThrow(message);
  await expect(load.stop()).rejects.toThrow(message);
});

test("if it cannot start, the error is one line that says why", async () => {
  const broken = new Load({ ...worker, workerEntry: "/nowhere/worker.ts" });
  const error: unknown = await broken.start(plan(application.origin)).catch((reason: unknown) => reason);
  expect(String(error)).toMatch(
    /^Error: the load process ended unexpectedly \(exit code 1\): .*Cannot find module.*$/,
  );
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s to the whole group does not end it",
  async (signal) => {
    await load.start(plan(application.origin));
    process.kill(pidOf(load), signal);
    const before = application.seen.length;
    await until(() => application.seen.length >= before + 50);
    expect(await load.stop()).toMatchObject({ failed: 0, missing: [] });
  },
);

test("it is gone after stop, and a second stop gives the same totals", async () => {
  await load.start(plan(application.origin));
  const pid = pidOf(load);
  await until(() => application.seen.length >= 20);
  const totals = await load.stop();
  expect(isAlive(pid)).toBe(false);
  expect(await load.stop()).toBe(totals);
  await expect(load.beginStep("late")).rejects.toThrow("the load has been stopped");
});

test("it ends with the rehearsal, even if that is killed", async () => {
  const script = `
    const { Load } = require(${JSON.stringify(join(__dirname, "../../../cli/load/load.ts"))});
    const load = new Load();
    load.start(${JSON.stringify(plan(application.origin))}).then(() => console.log(load.workerPid));
  `;
  const rehearsal = spawn(process.execPath, [...worker.execArgv, "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  rehearsal.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  await until(() => printed.includes("\n") && application.seen.length >= 10);
  const pid = Number(printed);
  expect(isAlive(pid)).toBe(true);
  rehearsal.kill("SIGKILL");
  await until(() => !isAlive(pid));
});

test("steps out of order are refused, and the load goes on", async () => {
  await expect(load.beginStep("early")).rejects.toThrow("the load has not been started");
  await load.start(plan(application.origin));
  await expect(load.start(plan(application.origin))).rejects.toThrow("the load has already been started");
  await expect(load.endStep()).rejects.toThrow("no step has begun");
  await load.beginStep("one");
  await expect(load.beginStep("two")).rejects.toThrow("step 'one' has not ended, 'two' cannot begin");
  await until(() => application.seen.length >= 20);
  expect(await load.endStep()).toMatchObject({ failed: 0 });
});

test("a plan that cannot be run is refused before any process is started", async () => {
  await expect(load.start(plan("nonsense"))).rejects.toThrow("'origin': must be an http or https address");
  expect(load.workerPid).toBeUndefined();
});
