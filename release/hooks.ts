/**
 * Hooks: commands and webhooks of a project that run before and after the phases of a release, for smoke tests,
 * approvals and messages. A `before` hook that fails stops what it stands before; an `after` hook only tells. Those of
 * phases are steps in the web stack and run wherever Terraform runs; those of the whole `release` are run by the command.
 */
import * as z from "zod/mini";
import { HEADER_NAME } from "./patterns";
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
/** In a recreate these come when users wait already, or are served by the new release. */
const WHILE_USERS_WAIT: readonly When[] = ["before migrate", "before install", "before switch"];
const STRATEGIES = ["blueGreen", "canary", "recreate"] as const;

/** Read from the environment variable of that name where the hook runs, so that no secret is in a file, plan or state. */
const FROM_ENVIRONMENT = /^env:[A-Za-z_][A-Za-z0-9_]{0,100}$/;
/** Printable ASCII without blanks, quotes and a user, as for artifacts. */
const WEBHOOK =
  /^(https:\/\/[0-9A-Za-z.-]+|http:\/\/(127\.0\.0\.1|localhost|\[::1\]))(:[0-9]+)?([/?][\]!#-&(-;=?-Z[_a-z~]*)?$/;
/** What curl says of the body by itself. */
const OWN_HEADERS = ["content-type", "content-length", "transfer-encoding", "expect"];

const Argument = z.string().check(
  z.maxLength(8_000),
  z.refine((text) => !text.includes("\u0000"), { error: () => "no NUL: no program can be given one" }),
);

const HeaderValue = z.string().check(
  z.maxLength(1_000),
  z.refine((text) => /^[\x20-\x7e]*$/.test(text), { error: () => "printable ASCII only" }),
  z.refine((text) => !text.startsWith("env:") || FROM_ENVIRONMENT.test(text), {
    error: (issue) => `${quote(issue.input)} names no environment variable, as in "env:CHAT_TOKEN"`,
  }),
);

const HookDefinition = z.strictObject({
  when: z.custom<When>((text) => WHENS.includes(text as When), {
    error: () =>
      `must be "before" or "after", and ${STEP_KINDS.join(", ")} or release, as in "before switch"`,
  }),
  /** What messages call it. @default its number among those of the same moment */
  name: z.optional(
    z.string().check(
      z.refine((text) => /^[a-z][a-z0-9-]{0,29}$/.test(text), {
        error: (issue) => `${quote(issue.input)} is no hook name: a-z, 0-9 and -, at most 30 characters`,
      }),
    ),
  ),
  /** A program and its arguments, started in the project's folder without a shell; it finds the facts as JSON on stdin. */
  command: z.optional(
    z.array(Argument).check(
      z.minLength(1),
      z.maxLength(100),
      z.refine(([program]) => program === undefined || /^[^-]/.test(program), {
        error: () => `starts with a program, whose name has no leading "-"`,
      }),
    ),
  ),
  /** Where the facts are sent as the JSON body of a POST, once; any 2xx is a yes. Or "env:NAME". */
  webhook: z.optional(
    z.string().check(
      z.maxLength(2_000),
      z.refine((text) => FROM_ENVIRONMENT.test(text) || WEBHOOK.test(text), {
        error: () => `must be https://..., http:// on the loopback address, or "env:NAME"`,
      }),
    ),
  ),
  /** Of the webhook's request. @default none */
  headers: z.optional(z.record(z.string().check(z.regex(HEADER_NAME, "is no header name")), HeaderValue)),
  /** After this time it is ended, with all that it started, and has failed. @default 60 */
  timeoutSeconds: z._default(z.int().check(z.minimum(1), z.maximum(86_400)), 60),
  /** It is for sequences with these; others go on without it. @default all */
  strategies: z.optional(z.array(z.enum(STRATEGIES)).check(z.minLength(1))),
});

export const Hooks = z.array(HookDefinition).check(z.maxLength(50));

export type Hook = z.infer<typeof HookDefinition> & {
  readonly name: string;
  /** Among the hooks of the same moment, from 1 on. */
  readonly position: number;
};

/** What has hooks: an environment. */
interface Hooked {
  readonly hooks?: z.infer<typeof Hooks> | undefined;
}

/** The hooks of one moment, in the order of the file, which is the order in which they run. */
export function hooksAt({ hooks = [] }: Hooked, when: When): Hook[] {
  const all = hooks.filter((hook) => hook.when === when);
  return all.map((hook, index) => ({ ...hook, name: hook.name ?? String(index + 1), position: index + 1 }));
}

/** @throws InvalidInput where hooks contradict themselves, or would never run. */
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
      throw new InvalidInput(`${field} must have a "command" or a "webhook", one of them`);
    }
    if (webhook === undefined && Object.keys(headers).length > 0) {
      throw new InvalidInput(`${field}.headers are for a webhook, this is a command`);
    }
    const own = Object.keys(headers).find((name) => OWN_HEADERS.includes(name.toLowerCase()));
    if (own !== undefined) throw new InvalidInput(`${field}.headers: ${quote(own)} is JSON's, leave it out`);
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
 * In a recreate, users wait from `begin` on, or see a page, and get the new release once it is installed: whatever
 * would stop it later than that would leave them there, or come too late.
 * @throws InvalidInput naming the hook, and both ways out.
 */
export function refuseHooksInRecreate(environment: Hooked, { strategy }: Pick<Schedule, "strategy">): void {
  if (strategy !== "recreate") return;
  for (const when of WHILE_USERS_WAIT) {
    const hook = hooksAt(environment, when).find((each) => appliesTo(each, strategy));
    if (hook === undefined) continue;
    throw new InvalidInput(
      `hook "${hook.name}" ${when} can't stop a recreate, whose users would be waiting by then: ` +
        `run it "before begin", or say "strategies": ["blueGreen", "canary"] if it is not for a recreate`,
    );
  }
}

/**
 * Whether a hook runs with this sequence: it has the phase, and brings a release to users. A heal does not: it
 * repairs servers under what is live.
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
 * What on-server/hooks/run-hook.sh is given, as environment variables. Whatever a person wrote is in base64: nothing in
 * it is Terraform's (`${`) or a shell's to read. Lists are of texts that end with NUL, which no argument contains.
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
