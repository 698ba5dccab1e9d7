/** The person that runs this command, for locks, receipts and bans. */
import { hostname, userInfo } from "node:os";
import type { Person } from "../../release/receipt";
import { inOneLine } from "../../release/text";

type Variables = Readonly<Record<string, string | undefined>>;

/** The sources: the operating system and the environment. Each may be empty. */
export interface Surroundings {
  readonly variables: Variables;
  readonly userName: () => string;
  readonly hostName: () => string;
}

const REAL: Surroundings = {
  variables: process.env,
  userName: () => userInfo().username,
  hostName: hostname,
};

export function currentPerson({ variables, userName, hostName }: Surroundings = REAL): Person {
  return {
    // A container's user may have no entry in /etc/passwd: the system then fails with only a number.
    user:
      attempt(userName) ?? readVariable(variables, "USER") ?? readVariable(variables, "LOGNAME") ?? "unknown",
    host: attempt(hostName) ?? "unknown",
    ci: pipelineRun(variables),
  };
}

/** In one line, for a message. */
export function formatPerson({ user, host, ci }: Person): string {
  if (ci === null) return `${user} on ${host}`;
  return `${user} on ${host}, ${ci.name}${ci.run === null ? "" : ` ${ci.run}`}`;
}

/** Checked in this order. The run is its URL, if the service has one: one click from the log. */
const SERVICES: readonly {
  readonly name: string;
  readonly sign: string;
  readonly run: (variables: Variables) => string | null;
}[] = [
  {
    name: "GitHub Actions",
    sign: "GITHUB_ACTIONS",
    run: (variables) =>
      address(variables, "%/%/actions/runs/%", ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"]) ??
      readVariable(variables, "GITHUB_RUN_ID"),
  },
  { name: "GitLab CI", sign: "GITLAB_CI", run: (variables) => readVariable(variables, "CI_JOB_URL") },
  {
    name: "Azure DevOps",
    sign: "TF_BUILD",
    run: (variables) =>
      address(variables, "%%/_build/results?buildId=%", [
        "SYSTEM_COLLECTIONURI",
        "SYSTEM_TEAMPROJECT",
        "BUILD_BUILDID",
      ]) ?? readVariable(variables, "BUILD_BUILDID"),
  },
  { name: "Jenkins", sign: "JENKINS_URL", run: (variables) => readVariable(variables, "BUILD_URL") },
  { name: "Terraform Cloud", sign: "TFC_RUN_ID", run: (variables) => readVariable(variables, "TFC_RUN_ID") },
  { name: "CI", sign: "CI", run: () => null },
];

function pipelineRun(variables: Variables): Person["ci"] {
  const service = SERVICES.find(({ sign }) => !["false", "0", null].includes(readVariable(variables, sign)));
  return service === undefined ? null : { name: service.name, run: service.run(variables) };
}

/** Replaces each `%` with the next variable; null if one is missing. */
function address(variables: Variables, text: string, names: readonly string[]): string | null {
  const values = names.flatMap((name) => readVariable(variables, name) ?? []);
  if (values.length < names.length) return null;
  // An Azure DevOps project may have spaces in its name; encodeURI leaves the rest unchanged.
  return text.replaceAll("%", () => encodeURI(values.shift() ?? ""));
}

function readVariable(variables: Variables, name: string): string | null {
  // In one line: it goes into messages and lock files.
  return inOneLine(variables[name] ?? "").trim() || null;
}

function attempt(read: () => string): string | null {
  try {
    return read() || null;
  } catch {
    return null;
  }
}
