/**
 * Checks that users can't notify instances that their slot is live: the proxies refuse the paths of `activation`. It
 * asks with a method that the environment does not use for them, so it notifies no instance.
 */
import type { Environment } from "../../../configuration/environment";
import { proxyPlaces, slotEndpoints } from "../../../configuration/naming";
import { isLocal } from "../../../configuration/platform";
import { privatePaths } from "../../../configuration/private-paths";
import { SLOTS } from "../../../release/slot";
import { cdktfCommand } from "../../project/cdktf-command";
import { ok, warning } from "./check";
import type { Check } from "./check";

const SECONDS = 20;
const REQUEST_MS = 4_000;

interface Answer {
  readonly status: number;
  readonly body: string;
}

export function activationCheck(environment: Environment): Check[] {
  const { activation } = environment;
  if (activation === undefined) return [];
  const used = [activation.activate.method, activation.deactivate.method];
  const method = ["OPTIONS", "HEAD", "GET"].find((each) => !used.some((other) => other === each))!;
  return [
    {
      name: "activation",
      seconds: SECONDS,
      async run() {
        const paths = privatePaths(environment);
        const open = await Promise.all(paths.map((path) => stateOf(environment, method, path)));
        const reached = paths.filter((_, index) => open[index] === "public");
        if (reached.length > 0) {
          return warning(
            `users can reach ${reached.join(" and ")} through the site`,
            `\`${cdktfCommand("deploy base")}\`: its proxies refuse these paths`,
          );
        }
        return open.every((state) => state === "refused")
          ? ok(`the site refuses ${paths.join(" and ")}`)
          : ok("not checked: the site does not answer");
      },
    },
  ];
}

/** A proxy refuses with 404. An application may answer so too: then its own answer is the same. */
async function stateOf(
  environment: Environment,
  method: string,
  path: string,
): Promise<"public" | "refused" | "unknown"> {
  const answers = await Promise.all(siteUrls(environment).map((url) => ask(method, `${url}${path}`)));
  const seen = answers.filter((answer) => answer !== null && answer.status < 500);
  if (seen.length === 0) return "unknown";
  if (seen.some((answer) => answer!.status !== 404)) return "public";
  const direct = await Promise.all(instanceUrls(environment).map((url) => ask(method, `${url}${path}`)));
  const passedOn = seen.some((answer) =>
    direct.some((each) => each?.status === 404 && each.body === answer!.body && each.body !== ""),
  );
  return passedOn ? "public" : "refused";
}

function siteUrls(environment: Environment): string[] {
  if (isLocal(environment)) return proxyPlaces(environment).map(({ host, port }) => `http://${host}:${port}`);
  const { domain } = environment.platform;
  return domain === undefined ? [] : [`https://${domain}`];
}

/** On Azure instances can't be reached from outside. */
function instanceUrls(environment: Environment): string[] {
  if (!isLocal(environment)) return [];
  const endpoints = slotEndpoints(environment);
  return SLOTS.flatMap((slot) => endpoints[slot]).map(({ host, port }) => `http://${host}:${port}`);
}

/** Asks once more if there was no answer: a site closes idle connections, and one broken request says nothing. */
async function ask(method: string, url: string): Promise<Answer | null> {
  return (await askOnce(method, url)) ?? askOnce(method, url);
}

async function askOnce(method: string, url: string): Promise<Answer | null> {
  try {
    const signal = AbortSignal.timeout(REQUEST_MS);
    const answer = await fetch(url, { method, redirect: "manual", signal });
    return { status: answer.status, body: await answer.text() };
  } catch {
    return null;
  }
}
