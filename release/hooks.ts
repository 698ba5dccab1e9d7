/**
 * Hooks: a project's commands and webhooks before and after the phases of a release, for smoke tests, approvals and
 * messages. A failing `before` hook stops its phase; an `after` hook only notifies. Hooks of phases are steps in the web
 * stack and run where Terraform runs. The command runs the hooks of the whole `release`.
 */
import * as z from "zod/mini";
import { FROM_ENVIRONMENT, HEADER_NAME } from "./patterns";
import { healedServers, scheduleOf, target, touchedSlots } from "./record";
import type { ReleaseRecord } from "./record";
import { InvalidInput } from "./failure";
import { quote } from "./text";
import type { Schedule, Topology } from "./schedule";

/** In the order of the web stack's graph. */
export const STEP_KINDS = ["begin", "migrate", "install", "switch", "converge", "share"] as const;
export type StepKind = (typeof STEP_KINDS)[number];
export type When = `${"before" | "after"} ${StepKind | "release"}`;

const WHENS = ["release" as const, ...STEP_KINDS].flatMap((phase): When[] => [
  `before ${phase}`,
  `after ${phase}`,
]);
/** In a recreate, these run while users already wait, or after they got the new release. */
const WHILE_USERS_WAIT: readonly When[] = ["before migrate", "before install", "before switch"];
const STRATEGIES = ["blueGreen", "canary", "recreate"] as const;

/** Printable ASCII without spaces, quotes and a user, as for artifacts. */
const WEBHOOK =
  /^(https:\/\/[0-9A-Za-z.-]+|http:\/\/(127\.0\.0\.1|localhost|\[::1\]))(:[0-9]+)?([/?][\]!#-&(-;=?-Z[_a-z~]*)?$/;
/** Headers that curl sets itself. */
const CURL_HEADERS = ["content-type", "content-length", "transfer-encoding", "expect"];

const Argument = z.string().check(
  z.maxLength(8_000),
  z.refine((text) => !text.includes("\u0000"), { error: () => "must not contain NUL" }),
);

const HeaderValue = z.string().check(
  z.maxLength(1_000),
  z.refine((text) => /^[\x20-\x7e]*$/.test(text), { error: () => "printable ASCII only" }),
  z.refine((text) => !text.startsWith("env:") || FROM_ENVIRONMENT.test(text), {
    error: (issue) =>
      `${quote(issue.input)} is not the name of an environment variable, as in "env:CHAT_TOKEN"`,
  }),
);

const HookDefinition = z.strictObject({
  when: z.custom<When>((text) => WHENS.includes(text as When), {
    error: () =>
      `must be "before" or "after", and ${STEP_KINDS.join(", ")} or release, as in "before switch"`,
  }),
  /** Its name in messages. @default its number among the hooks of the same moment */
  name: z.optional(
    z.string().check(
      z.refine((text) => /^[a-z][a-z0-9-]{0,29}$/.test(text), {
        error: (issue) =>
          `${quote(issue.input)} is not a valid hook name: a-z, 0-9 and -, at most 30 characters`,
      }),
    ),
  ),
  /** A program and its arguments, started in the project's folder without a shell. The facts are on stdin as JSON. */
  command: z.optional(
    z.array(Argument).check(
      z.minLength(1),
      z.maxLength(100),
      z.refine(([program]) => program === undefined || /^[^-]/.test(program), {
        error: () => `must start with a program, whose name has no leading "-"`,
      }),
    ),
  ),
  /** Gets one POST with the facts as JSON body; any 2xx is success. Or "env:NAME". */
  webhook: z.optional(
    z.string().check(
      z.maxLength(2_000),
      z.refine((text) => FROM_ENVIRONMENT.test(text) || WEBHOOK.test(text), {
        error: () => `must be https://..., http:// on the loopback address, or "env:NAME"`,
      }),
    ),
  ),
  /** Headers of the webhook's request. @default none */
  headers: z.optional(
    z.record(z.string().check(z.regex(HEADER_NAME, "is not a valid header name")), HeaderValue),
  ),
  /** After this time the hook and its child processes are killed, and it counts as failed. @default 60 */
  timeoutSeconds: z._default(z.int().check(z.minimum(1), z.maximum(86_400)), 60),
  /** It only runs in sequences with these strategies. @default all */
  strategies: z.optional(z.array(z.enum(STRATEGIES)).check(z.minLength(1))),
});

export const Hooks = z.array(HookDefinition).check(z.maxLength(50));

export type Hook = z.infer<typeof HookDefinition> & {
  readonly name: string;
  /** Among the hooks of the same moment, starting at 1. */
  readonly position: number;
};

/** An environment, which may have hooks. */
interface Hooked {
  readonly hooks?: z.infer<typeof Hooks> | undefined;
}

/** The hooks of one moment, in the order of the file, in which they run. */
export function hooksAt({ hooks = [] }: Hooked, when: When): Hook[] {
  const all = hooks.filter((hook) => hook.when === when);
  return all.map((hook, index) => ({ ...hook, name: hook.name ?? String(index + 1), position: index + 1 }));
}

/** @throws InvalidInput if a hook contradicts itself or would never run. */
export function refuseHooks(
  environment: Hooked & {
    readonly topology: Topology;
    readonly platform: { readonly database?: unknown };
  },
): void {
  const { hooks = [], platform, topology } = environment;
  hooks.forEach(({ command, webhook, headers = {} }, index) => {
    const field = `hooks.${index}`;
    if ((command === undefined) === (webhook === undefined)) {
      throw new InvalidInput(`${field} must have either a "command" or a "webhook"`);
    }
    if (webhook === undefined && Object.keys(headers).length > 0) {
      throw new InvalidInput(`${field}.headers are only for a webhook, this is a command`);
    }
    const reserved = Object.keys(headers).find((name) => CURL_HEADERS.includes(name.toLowerCase()));
    if (reserved !== undefined)
      throw new InvalidInput(`${field}.headers: ${quote(reserved)} is set for the JSON body, leave it out`);
  });
  for (const when of WHENS) {
    const [hook] = hooksAt(environment, when);
    if (hook === undefined) continue;
    const { name } = hook;
    if (when.endsWith(" migrate") && platform.database === undefined) {
      throw new InvalidInput(`hook "${name}" ${when} would never run: there is no platform.database`);
    }
    if (/ (converge|share)$/.test(when) && topology !== "split") {
      throw new InvalidInput(
        `hook "${name}" ${when} would never run: topology "${topology}" has no such phase`,
      );
    }
  }
}

/**
 * In a recreate, users wait or see a page from `begin` on, and get the new release once it is installed. A later hook that
 * stops it would leave users waiting, or come too late.
 * @throws InvalidInput naming the hook and both solutions.
 */
export function refuseHooksInRecreate(environment: Hooked, { strategy }: Pick<Schedule, "strategy">): void {
  if (strategy !== "recreate") return;
  for (const when of WHILE_USERS_WAIT) {
    const hook = hooksAt(environment, when).find((each) => appliesTo(each, strategy));
    if (hook === undefined) continue;
    throw new InvalidInput(
      `hook "${hook.name}" ${when} can't stop a recreate, because users already wait by then: ` +
        `run it "before begin", or set "strategies": ["blueGreen", "canary"] if it is not for a recreate`,
    );
  }
}

/**
 * Whether a hook runs in this sequence: the sequence has the phase and releases something. A heal does not: it only
 * repairs servers of the live release.
 */
export function isNeeded(
  hook: Hook,
  environment: { readonly schedule: Schedule },
  record: ReleaseRecord,
): boolean {
  const release = target(record);
  if (release === null || healedServers(record).length > 0) return false;
  if (!appliesTo(hook, scheduleOf(record, environment).strategy)) return false;
  const converges = record.converge === true && record.goal === "live";
  switch (hook.when.split(" ")[1] as StepKind | "release") {
    case "migrate":
      return record.migrate === true;
    case "install":
      return touchedSlots(record).includes(record.active);
    case "converge":
    case "share":
      return converges;
    default:
      return true;
  }
}

export function appliesTo({ strategies }: Hook, strategy: Schedule["strategy"]): boolean {
  return strategies === undefined || strategies.includes(strategy);
}

/**
 * The environment variables for on-server/hooks/run-hook.sh. Values from users are in base64, so that neither Terraform
 * (`${`) nor a shell interprets them. Items of lists end with NUL, which no argument contains.
 */
export function hookParameters(hook: Hook, facts: object): Record<string, string> {
  const { command, webhook, headers = {} } = hook;
  return {
    HOOK_NAME: hook.name,
    HOOK_WHEN: hook.when,
    HOOK_TIMEOUT_SECONDS: String(hook.timeoutSeconds),
    HOOK_FACTS_BASE64: base64(JSON.stringify(facts)),
    ...(command === undefined ? {} : { HOOK_COMMAND_BASE64: listed(command) }),
    ...(webhook === undefined ? {} : { HOOK_WEBHOOK_BASE64: base64(webhook) }),
    ...(Object.keys(headers).length === 0
      ? {}
      : { HOOK_HEADERS_BASE64: listed(Object.entries(headers).flat()) }),
  };
}

function listed(texts: readonly string[]): string {
  return base64(texts.map((text) => `${text}\u0000`).join(""));
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
