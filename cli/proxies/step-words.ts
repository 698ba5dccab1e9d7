/**
 * What directors on Azure said last: each step prints one line of JSON, which Azure keeps with the step and a refresh
 * brings into Terraform's state. So whoever holds a refreshed state or a plan knows what the proxies did, without
 * a way to them.
 */
import { LastWords } from "../../release/director-status";
import { parseStep, stepId } from "../../release/steps";
import { parseFile } from "../../release/validation";
import type { StateResource } from "../terraform/stack";

/**
 * @returns null where none of the proxy's steps printed its line.
 * @throws InvalidInput where a line is not a director's, or one of a version that this command does not know.
 */
export function lastWords(resources: readonly StateResource[], proxy: string): LastWords | null {
  const steps = [stepId.begin(proxy), stepId.switch(proxy), stepId.share(proxy)];
  const said = steps.flatMap((id) => resources.filter(isStep(id)).flatMap(readWords));
  // A later step of the same sequence comes later in the list, and wins.
  return said.reduce<LastWords | null>(
    (latest, words) => (latest !== null && latest.sequence > words.sequence ? latest : words),
    null,
  );
}

/** The proxies whose steps are there, in the order of their names. */
export function proxiesIn(resources: readonly StateResource[]): string[] {
  const names = resources.flatMap(({ address }) => {
    const step = parseStep(address);
    return step?.kind === "begin" || step?.kind === "switch" ? [step.proxy] : [];
  });
  return [...new Set(names)].sort();
}

function isStep(id: string): (resource: StateResource) => boolean {
  return ({ address, deposed }) => !deposed && parseStep(address)?.id === id;
}

function readWords({ output, address }: StateResource): LastWords[] {
  const line = output
    .split("\n")
    .reverse()
    .find((text) => text.startsWith('{"step":'));
  const isWhole = line?.endsWith("}") === true;
  return isWhole ? [parseFile(LastWords, line, `what ${address} reported`)] : [];
}
