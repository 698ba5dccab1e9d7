/**
 * The directors' last reports on Azure: each step prints one line of JSON. Azure keeps it with the step, and a refresh
 * reads it into Terraform's state. A refreshed state or a plan therefore shows what the proxies did.
 */
import { LastWords } from "../../release/director-status";
import { jsonLines } from "../../release/result-line";
import { parseStep, stepId } from "../../release/steps";
import { parseFile } from "../../release/validation";
import type { StateResource } from "../terraform/stack";

/**
 * @returns null if none of the proxy's steps printed a report.
 * @throws InvalidInput if a line is not a director's, or has an unknown format version.
 */
export function lastReport(resources: readonly StateResource[], proxy: string): LastWords | null {
  const steps = [stepId.begin(proxy), stepId.switch(proxy), stepId.share(proxy)];
  const reports = steps.flatMap((id) => resources.filter(isStep(id)).flatMap(readReport));
  // A later step of the same sequence comes later in the list, and wins.
  return reports.reduce<LastWords | null>(
    (latest, report) => (latest !== null && latest.sequence > report.sequence ? latest : report),
    null,
  );
}

/** The proxies that have steps, by name. */
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

function readReport({ output, address }: StateResource): LastWords[] {
  const line = jsonLines(output).find((text) => text.startsWith('{"step":'));
  const isWhole = line?.endsWith("}") === true;
  return isWhole ? [parseFile(LastWords, line, `what ${address} reported`)] : [];
}
