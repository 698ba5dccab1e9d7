/** No log grows without end, whatever an application prints; and its last words are never lost. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../../development/testbed/processes";
import { base64, eachTestHasAServer, expectFailure, lives } from "./server";

const server = eachTestHasAServer();
const LIMIT = 10 * 1024 * 1024;
const log = (): string => server().path("logs/blue.log");

/** Prints many bytes as fast as it can, each line with its number, before it does what the fixture does. */
const LOUD = `
const fs = require("fs");
const megabytes = Number(process.argv[2]), last = process.argv[3];
const line = "x".repeat(1000);
const started = process.hrtime.bigint();
for (let n = 0; n < megabytes * 1000; n += 20) {
  let text = "";
  for (let m = n; m < n + 20; m++) text += m + " " + line + "\\n";
  fs.writeSync(1, text);
}
console.log("printed in " + Number(process.hrtime.bigint() - started) / 1e6 + " ms");
if (last) { console.log(last); process.kill(process.pid, "SIGKILL"); }
require("./server.js");
`;

const loud = (megabytes: number, last = "") => ({
  artifact: server().application({}, [{ name: "loud.js", data: LOUD }]),
  START_COMMAND_BASE64: base64(
    ["node", "loud.js", String(megabytes), ...(last === "" ? [] : [last])].join("\n"),
  ),
});

/** The guard of this server's logs. */
function guards(): number[] {
  return fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const command = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8");
        return command.startsWith("bash\0-c") && command.includes(`guard_logs ${server().folder} `);
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function installed(
  sequence: number,
  { artifact, ...overrides }: ReturnType<typeof loud>,
): Promise<void> {
  const outcome = await server().install(
    server().parameters(sequence, artifact, { DEADLINE_SECONDS: "60", ...overrides }),
  );
  expect(outcome).toMatchObject({ code: 0, stderr: "" });
}

test("300 MB at once neither stay nor slow the application down, and the newest lines are there", async () => {
  await installed(1, loud(300));
  await until(() => fs.statSync(log()).size <= LIMIT, "the log is short");
  const text = fs.readFileSync(log(), "utf8");
  const [, milliseconds] = /printed in ([\d.]+) ms\n/.exec(text)!;
  expect(Number(milliseconds)).toBeLessThan(30_000);
  expect(text.length).toBeGreaterThan(LIMIT / 2 - 100_000);
  // Whole and in order up to the end: nothing was cut out of the middle.
  const numbers = text.match(/^\d+(?= x)/gm)!.map(Number);
  expect(numbers.at(-1)).toBe(299_999);
  expect(numbers.slice(1)).toEqual(
    Array.from({ length: numbers.length - 1 }, (_, index) => 300_000 - numbers.length + 1 + index),
  );
  expect((await server().get()).release).toBe("1.0.0-1");
  expect(guards()).toHaveLength(1);
});

test("the last words of one that prints much and is killed are in the failure's message", async () => {
  const { artifact, ...overrides } = loud(60, "the database refused the password");
  const outcome = await server().install(
    server().parameters(1, artifact, { DEADLINE_SECONDS: "60", ...overrides }),
  );
  expectFailure(outcome, 4);
  expect(outcome.stderr).toMatch(/^log: the database refused the password$/m);
});

test("a killed guard takes nothing with it, and the next install starts another; it ends with the folder", async () => {
  await installed(1, loud(0));
  await until(() => guards().length === 1, "a guard runs");
  const [guard] = guards();
  process.kill(guard!, "SIGKILL");
  const [instance] = server().instances();
  await server().get();
  expect(lives(instance!)).toBe(true);
  fs.appendFileSync(log(), "y".repeat(2 * LIMIT));
  await sleep(1_500);
  expect(fs.statSync(log()).size).toBeGreaterThan(LIMIT);
  await installed(2, loud(0));
  await until(() => guards().length === 1 && fs.statSync(log()).size <= LIMIT, "another guard works");
  for (const pid of server().instances()) process.kill(pid, "SIGKILL");
  fs.renameSync(server().folder, `${server().folder}-gone`);
  await until(() => guards().length === 0, "the guard has ended");
});

test("a file system that cannot take off the beginning of a file gets a copy of the newest lines", () => {
  if (!fs.existsSync("/dev/shm")) return;
  const folder = fs.mkdtempSync("/dev/shm/bluegreen-logs-");
  try {
    const lines = Array.from({ length: 20_000 }, (_, number) => `line ${number} ${"z".repeat(90)}\n`).join(
      "",
    );
    fs.writeFileSync(`${folder}/a.log`, lines);
    const { stderr } = spawnSync(
      "bash",
      ["-c", `. on-server/bounded-logs.sh; shorten_logs 1048576 ${folder}/a.log`],
      {
        encoding: "utf8",
      },
    );
    expect(stderr).toBe("");
    const [size, older] = ["a.log", "a.log.older"].map((name) => fs.statSync(`${folder}/${name}`).size);
    expect(size! + older!).toBeLessThanOrEqual(1_048_576);
    const kept = ["a.log.older", "a.log"]
      .map((name) => fs.readFileSync(`${folder}/${name}`, "utf8"))
      .join("");
    expect(kept.endsWith(`line 19999 ${"z".repeat(90)}\n`)).toBe(true);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
