/** What users get, as the proxy's port for users answered, where that is not what its director recorded. Pure. */
import { EXIT } from "../../release/exit-code";
import type { ProxyStatus } from "../../release/director-status";
import type { ReleaseRecord } from "../../release/record";

/**
 * A report of a step, on Azure, says what users got then. A step of the record may have changed that, and its words may be
 * lost: azurerm from 4.75 on can forget a failed one, and a killed Terraform does.
 * @returns why it is not known what users get now; null if it is.
 */
export function notKnown(
  { sequence }: Pick<ReleaseRecord, "sequence">,
  { state, at }: Pick<ProxyStatus, "state" | "at">,
): string | null {
  if (at === undefined) return null;
  if (state.sequence < sequence) return `record ${sequence} has reported nothing`;
  const { result } = state;
  const begun = state.sequence === sequence && result?.step === "begin" && result.exitCode === EXIT.done;
  return begun ? `record ${sequence} has begun, and reported nothing since` : null;
}

/** @returns null if both agree, or if the port was not asked. */
export function contradiction({ proxy, users, traffic, state }: ProxyStatus): string | null {
  if (users === undefined || traffic.mode !== "serve") return null;
  const { stable, candidate } = state;
  const recorded = stable === null ? "no release" : stable.releaseId;
  if (traffic.live === null) {
    if (stable === null) return null;
    return `users of ${proxy} get no release: it serves no slot, though its director recorded ${recorded}`;
  }
  if (!users.healthy)
    return `users of ${proxy} get no release: its port fails (${users.problem}); its director recorded ${recorded}`;
  const expected = [stable?.releaseId, ...(traffic.weight > 0 ? [candidate?.releaseId] : [])];
  if (users.releaseId !== null && expected.includes(users.releaseId)) return null;
  // Between the last change of traffic and its record, the candidate serves alone.
  if (!state.finished && users.releaseId === candidate?.releaseId) return null;
  return `users of ${proxy} get ${users.releaseId ?? "an answer without a release id"}, though its director recorded ${recorded}`;
}
