/** Who runs this command: the name that a lock, a receipt and a ban carry. */
import { hostname, userInfo } from "node:os";
import type { Person } from "../../release/receipt";
import { inOneLine } from "../../release/text";

type Variables = Readonly<Record<string, string | undefined>>;

/** What the operating system and the environment say; each may know nothing. */
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

export function whoIsThis({ variables, userName, hostName }: Surroundings = REAL): Person {
  return {
    // A container's user may have no entry in /etc/passwd: then the system says nothing but a number, with an error.
    user: attempt(userName) ?? said(variables, "USER") ?? said(variables, "LOGNAME") ?? "unknown",
    host: attempt(hostName) ?? "unknown",
    ci: pipelineRun(variables),
  };
}

/** In one line, for a message. */
export function formatPerson({ user, host, ci }: Person): string {
  if (ci === null) return `${user} on ${host}`;
  return `${user} on ${host}, ${ci.name}${ci.run === null ? "" : ` ${ci.run}`}`;
}

/** In the order in which they are asked; the run's address where the service has one, so that a reader is one click away from its log. */
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
      said(variables, "GITHUB_RUN_ID"),
  },
  { name: "GitLab CI", sign: "GITLAB_CI", run: (variables) => said(variables, "CI_JOB_URL") },
  {
    name: "Azure DevOps",
    sign: "TF_BUILD",
    run: (variables) =>
      address(variables, "%%/_build/results?buildId=%", [
        "SYSTEM_COLLECTIONURI",
        "SYSTEM_TEAMPROJECT",
        "BUILD_BUILDID",
      ]) ?? said(variables, "BUILD_BUILDID"),
  },
  { name: "Jenkins", sign: "JENKINS_URL", run: (variables) => said(variables, "BUILD_URL") },
  { name: "Terraform Cloud", sign: "TFC_RUN_ID", run: (variables) => said(variables, "TFC_RUN_ID") },
  { name: "CI", sign: "CI", run: () => null },
];

function pipelineRun(variables: Variables): Person["ci"] {
  const service = SERVICES.find(({ sign }) => !["false", "0", null].includes(said(variables, sign)));
  return service === undefined ? null : { name: service.name, run: service.run(variables) };
}

/** The variables put into the text, in its order of `%`; null where one of them is missing. */
function address(variables: Variables, text: string, names: readonly string[]): string | null {
  const values = names.flatMap((name) => said(variables, name) ?? []);
  if (values.length < names.length) return null;
  // A project of Azure DevOps may have spaces in its name; what else an address is made of stays.
  return text.replaceAll("%", () => encodeURI(values.shift() ?? ""));
}

function said(variables: Variables, name: string): string | null {
  // One line whatever somebody set: it goes into messages and lock files.
  return inOneLine(variables[name] ?? "").trim() || null;
}

function attempt(ask: () => string): string | null {
  try {
    return ask() || null;
  } catch {
    return null;
  }
}
