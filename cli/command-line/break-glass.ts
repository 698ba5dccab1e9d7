/** The options of `bluegreen rollback` for when Terraform can't help: it then asks the proxies only. */
import type { Command } from "commander";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { stateFile } from "../../configuration/naming";
import { requireReason } from "../../release/moved-by-hand";
import { EXIT } from "../../release/exit-code";
import { InvalidInput } from "../../release/failure";
import { lockHolder } from "../../system/process-lock";
import { isReleaseRunning, lockFile, terraformLock } from "../project/project-lock";
import type { Project } from "../project/project";
import { breakGlass } from "../proxies/break-glass";
import type { BrokenGlassEnd, ProxyEnd } from "../proxies/break-glass";
import { err, out } from "../terminal/colours";
import { ask, canAsk, DRAWN } from "../terminal/questions";
import { open } from "./common";
import type { CommonOptions } from "./common";

export interface BreakGlassOptions extends CommonOptions {
  readonly breakGlass?: boolean;
  readonly reason?: string;
}

export function withBreakGlass(command: Command): Command {
  return command
    .option(
      "--break-glass",
      "without Terraform, state or record: each proxy moves its users back by itself, now",
    )
    .option("--reason <why>", "with --break-glass: why; journal, status and receipt show it");
}

/** @returns whether the options ask for it; then it is done. @throws InvalidInput */
export async function brokeGlass(options: BreakGlassOptions): Promise<boolean> {
  if (options.breakGlass !== true) {
    if (options.reason !== undefined) throw new InvalidInput("--reason needs --break-glass");
    return false;
  }
  const project = open(options);
  const reason = await reasonOrAsk(options.reason);
  await noteLocks(project);
  const end = await breakGlass(project, reason, (each) => printProxy(each, options.json === true));
  process.exitCode = end.exitCode;
  if (options.json === true) console.log(JSON.stringify(end, null, 2));
  else printNext(end);
  return true;
}

async function reasonOrAsk(given: string | undefined): Promise<string> {
  const message = "Why are users moved by hand?";
  return requireReason(given ?? (canAsk() ? await ask(({ input }) => input({ message }, DRAWN)) : ""));
}

/** Neither lock is needed. A running director is asked to stop. */
async function noteLocks(project: Project): Promise<void> {
  const { folder, environment } = project;
  if (existsSync(terraformLock(folder, stateFile(environment, "web")))) {
    console.error("  Terraform's state is locked: it is not needed");
  }
  const file = join(folder, lockFile(project));
  if (await isReleaseRunning(project)) {
    console.error(`  another run holds the project's lock (${lockHolder(file)}): it is not waited for`);
  }
}

function printProxy({ proxy, outcome, reason, seconds }: ProxyEnd, stdoutIsJson: boolean): void {
  if (outcome === "toType") {
    if (!stdoutIsJson) console.log(`on ${proxy}:  ${reason}`);
    return;
  }
  const line = `${proxy} ${outcome}: ${reason} (${seconds.toFixed(1)} s)`;
  if (outcome !== "rolledBack" && outcome !== "unchanged") console.error(`${err.red("✖")} ${line}`);
  else if (!stdoutIsJson) console.log(`${out.green("✔")} ${line}`);
}

function printNext({ proxies, exitCode }: BrokenGlassEnd): void {
  const unreached = proxies.filter(({ outcome }) => outcome === "unreached").map(({ proxy }) => proxy);
  if (proxies.some(({ outcome }) => outcome === "toType")) {
    console.error(
      "Azure's proxies can't be reached from here. Type that on each of them (docs/break-glass.md)",
    );
  }
  if (unreached.length > 0) {
    console.error(
      `  not reached: ${unreached.join(", ")}. Their users stay where they are; run this again when they are back`,
    );
  }
  const moved = proxies.some(({ outcome }) => outcome === "rolledBack" || outcome === "unchanged");
  if (moved)
    console.error("  next: `bluegreen recover` takes this over into the record, once Terraform works again");
  else if (exitCode !== EXIT.done && unreached.length < proxies.length)
    console.error("  nothing was changed");
}
