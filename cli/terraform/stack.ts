/** Runs Terraform for one synthesized stack: init, plan, apply of exactly that plan. */
import { Failure } from "../../release/failure";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import execa from "execa";
import { EXIT } from "../../release/exit-code";
import { enhancedValidationAdvice, hasNamesOf5, olderProvider } from "../../configuration/azure/azurerm";
import { packagedPostgres } from "../packaged-postgres";
import { isStateOf5, lockedAzurerm, requiredAzurerm } from "./azure-provider";
import type { TerraformBinary } from "./binary";
import {
  stepErrorOf,
  firstErrorLines,
  isKilledStep,
  isConflict,
  isPostcondition,
  isRefusedAtOnce,
  lockHolder,
} from "./error-messages";
import type { Diagnostic, StepError } from "./error-messages";
import { readPlan } from "../../release/terraform-plan";
import type { Plan } from "../../release/terraform-plan";
import { withPrivateFiles } from "../../system/private-files";
import { entriesOf, readState } from "./pulled-state";
import type { StateEntry } from "./pulled-state";
import { jsonOf } from "./json-output";
import { readHookRun } from "../../release/hook-run";
import type { HookRun } from "../../release/hook-run";

export interface ApplyResult {
  readonly succeeded: boolean;
  /** The highest exit code of a step; 1 if Terraform itself failed. */
  readonly exitCode: number;
  /** One reason per failed step. */
  readonly reasons: readonly string[];
  /** Terraform refused the plan and changed nothing: the state is newer, or another process holds its lock. */
  readonly nothingWasApplied: boolean;
  /** Terraform or one of its steps was ended by a signal: a director may go on, and its result counts. */
  readonly cutOff: boolean;
  /** Azure refused the first steps because of another operation on their servers. No step ran. */
  readonly conflictBeforeAll?: boolean;
  /** The hooks that ran between the steps, in the order in which they ended. */
  readonly hooks: readonly HookRun[];
}

export interface ApplyEvents {
  onStep(address: string, event: "started" | "done" | "failed"): void;
  /** The result of a hook, in a sentence. Also called for a failure that does not stop the release. */
  onHook?(sentence: string): void;
  /** Called with a function that asks Terraform to stop. */
  onStarted?(interrupt: () => void): void;
}

interface Message {
  readonly "@level"?: string;
  readonly type?: string;
  /** Terraform's name for events of a resource. */
  readonly hook?: {
    readonly resource?: { readonly addr?: string };
    readonly action?: string;
    readonly output?: string;
  };
  readonly diagnostic?: Diagnostic;
}

/** A step's run, from Azure. */
export interface StateResource {
  readonly address: string;
  readonly name: string;
  readonly output: string;
  readonly exitCode: number | null;
  /** Left by a failed replacement; not the current object of the address. */
  readonly deposed: boolean;
}

/** From `terraform show -json` of a plan: the refreshed state. */
export interface PlannedState {
  readonly prior_state?: {
    readonly values?: {
      readonly root_module?: {
        readonly resources?: readonly {
          readonly address: string;
          readonly deposed_key?: string;
          readonly values: {
            readonly name?: string;
            readonly instance_view?: readonly { readonly output?: string; readonly exit_code?: number }[];
          };
        }[];
      };
    };
  };
}

const PLAN_FILE = "bluegreen.tfplan";
const REFRESH_FILE = "refresh.tfplan";
/** `show -json` and `state pull` print no colours, and the latter does not know the option. */
const TAKES_NO_COLOUR: readonly string[] = ["init", "plan"];
const ACTIONS: Readonly<Record<string, "started" | "done" | "failed">> = {
  apply_start: "started",
  apply_complete: "done",
  apply_errored: "failed",
  provision_errored: "failed",
};

export class Stack {
  private readonly folder: string;

  constructor(
    outputFolder: string,
    readonly name: "base" | "web",
    private readonly terraform: TerraformBinary,
  ) {
    this.folder = join(outputFolder, "stacks", name);
  }

  /** @throws Failure with Terraform's message; exit code 3 if another process holds the state's lock. */
  async plan(
    options: { readonly destroy?: boolean; readonly lockTimeoutSeconds?: number } = {},
  ): Promise<Plan> {
    await this.init();
    const destroy = options.destroy === true ? ["-destroy"] : [];
    await this.run([
      "plan",
      "-input=false",
      `-lock-timeout=${options.lockTimeoutSeconds ?? 0}s`,
      ...destroy,
      `-out=${PLAN_FILE}`,
    ]);
    return readPlan(await this.run(["show", "-json", PLAN_FILE]));
  }

  /** The stored state: no plan, no provider. @throws Failure if its format is not known. */
  async state(): Promise<StateEntry[]> {
    await this.init();
    const state = readState(await this.run(["state", "pull"]));
    if (state !== null) return entriesOf(state);
    throw new Failure(`the state of ${this.name} has an unknown format`, EXIT.unexpected);
  }

  /** The state after a refresh through the providers. The stored state stays unchanged. */
  async refreshedState(): Promise<StateResource[]> {
    await this.init();
    await this.run(["plan", "-refresh-only", "-input=false", "-lock=false", `-out=${REFRESH_FILE}`]);
    return stateBefore(JSON.parse(await this.run(["show", "-json", REFRESH_FILE])) as PlannedState);
  }

  /**
   * Applies exactly the last plan.
   * @param options.skipHooks the reason to run no hooks, such as an abort.
   */
  async apply(events: ApplyEvents, options: { readonly skipHooks?: string } = {}): Promise<ApplyResult> {
    const { env, ...own } = this.options();
    const skip = options.skipHooks === undefined ? {} : { BLUEGREEN_SKIP_HOOKS: options.skipHooks };
    // A separate process group: Ctrl-C goes to this command, which restores the traffic before it stops Terraform.
    const child = withPrivateFiles(() =>
      execa(this.terraform.path, ["apply", "-input=false", "-json", PLAN_FILE], {
        ...own,
        env: { ...env, ...skip },
        detached: true,
        buffer: false,
        reject: false,
      }),
    );
    events.onStarted?.(() => child.kill("SIGINT", { forceKillAfterTimeout: false }));
    const failures: StepError[] = [];
    const unmet: StepError[] = [];
    let nothingWasApplied = false;
    let stepWasKilled = false;
    const steps = { done: 0, conflicts: 0 };
    const hooks: HookRun[] = [];
    const lines = createInterface({ input: child.stdout! });
    lines.on("line", (line) => {
      const message = parseMessage(line);
      const hook = message.type === "provision_progress" ? readHookRun(message.hook?.output ?? "") : null;
      if (hook !== null) {
        hooks.push(hook.run);
        events.onHook?.(hook.reason);
      }
      const action = ACTIONS[message.type ?? ""];
      const address = message.hook?.resource?.addr;
      // The deletion of an earlier run's object is no step.
      const isStep = action !== undefined && address !== undefined && message.hook?.action !== "delete";
      if (isStep) events.onStep(address, action);
      if (isStep && action === "done") steps.done += 1;
      const { diagnostic } = message;
      if (diagnostic?.severity !== "error") return;
      if (isRefusedAtOnce(diagnostic)) nothingWasApplied = true;
      if (isKilledStep(diagnostic)) stepWasKilled = true;
      if (isConflict(diagnostic)) steps.conflicts += 1;
      (isPostcondition(diagnostic) ? unmet : failures).push(stepErrorOf(diagnostic));
    });
    const [{ exitCode, signal }] = await Promise.all([child, once(lines, "close")]);
    if (exitCode === 0)
      return { succeeded: true, exitCode: EXIT.done, reasons: [], nothingWasApplied, cutOff: false, hooks };
    const cutOff = signal !== undefined || stepWasKilled;
    if (failures.length === 0) failures.push(...unmet);
    if (failures.length === 0) {
      const reason = `${this.terraform.name} was ended by ${signal ?? `exit code ${exitCode}`}: \`bluegreen retry\` or \`bluegreen abort\` goes on`;
      failures.push({ exitCode: EXIT.unexpected, reason });
    }
    const worst = Math.max(EXIT.unexpected, ...failures.map((failure) => failure.exitCode));
    const reasons = [...new Set(failures.map(({ reason }) => reason))];
    const conflictBeforeAll =
      steps.done === 0 && steps.conflicts > 0 && steps.conflicts === failures.length + unmet.length;
    const conflict = conflictBeforeAll ? { conflictBeforeAll } : {};
    return { succeeded: false, exitCode: worst, reasons, nothingWasApplied, cutOff, hooks, ...conflict };
  }

  private async init(): Promise<void> {
    // HCP Terraform applies changed settings itself, and rejects this option.
    const reconfigure = this.isInCloud() ? [] : ["-reconfigure"];
    const azurerm = requiredAzurerm(this.folder);
    const locked = lockedAzurerm(this.folder);
    if (azurerm !== null) {
      const advice = enhancedValidationAdvice(azurerm, process.env);
      if (advice !== null) throw new Failure(advice, EXIT.badInput);
    }
    // The environment chose another exact version than the last time, which Terraform's lock of versions would refuse.
    const upgrade = azurerm !== null && locked !== null && locked !== azurerm ? ["-upgrade"] : [];
    await this.run(["init", "-input=false", ...reconfigure, ...upgrade]);
    if (this.name !== "base" || azurerm === null || hasNamesOf5(azurerm)) return;
    if (isStateOf5(await this.run(["state", "pull"])))
      throw new Failure(olderProvider(azurerm), EXIT.refused);
  }

  private isInCloud(): boolean {
    const { terraform } = JSON.parse(readFileSync(join(this.folder, "cdk.tf.json"), "utf8")) as {
      readonly terraform?: { readonly cloud?: unknown };
    };
    return terraform?.cloud !== undefined;
  }

  private async run(command: string[]): Promise<string> {
    const { stdout, stderr, exitCode } = await withPrivateFiles(() =>
      execa(
        this.terraform.path,
        [...command, ...(TAKES_NO_COLOUR.includes(command[0]!) ? ["-no-color"] : [])],
        {
          ...this.options(),
          detached: true,
          reject: false,
          maxBuffer: 256 * 1024 * 1024,
        },
      ),
    );
    if (exitCode === 0) return command[0] === "show" ? jsonOf(stdout) : stdout;
    const lock = lockHolder(stderr);
    if (lock !== null) {
      throw new Failure(
        `the state of ${this.name} is locked ${lock.holder}: another apply runs; wait for it, or \`bluegreen abort\`. Only if you are sure that it is gone: \`${this.terraform.name} force-unlock ${lock.id}\` in ${this.folder}`,
        EXIT.refused,
      );
    }
    throw new Failure(
      `${this.terraform.name} ${command[0]} of ${this.name} failed: ${firstErrorLines(stderr, 6)}`,
      EXIT.unexpected,
    );
  }

  private options() {
    const env = {
      TF_IN_AUTOMATION: "1",
      TF_INPUT: "0",
      BLUEGREEN_POSTGRES_FOLDER: packagedPostgres(),
    };
    return { cwd: this.folder, env, stdin: "ignore" as const };
  }
}

/** The state that the plan is based on. */
export function stateBefore({ prior_state }: PlannedState): StateResource[] {
  return (prior_state?.values?.root_module?.resources ?? []).map(({ address, deposed_key, values }) => {
    const [view] = values.instance_view ?? [];
    return {
      address,
      name: values.name ?? "",
      output: view?.output ?? "",
      exitCode: view?.exit_code ?? null,
      deposed: deposed_key !== undefined,
    };
  });
}

function parseMessage(line: string): Message {
  try {
    return JSON.parse(line) as Message;
  } catch {
    return {};
  }
}
