/** What users get, as the proxy's port for users answered, where that is not what its director recorded. Pure. */
import type { ProxyStatus } from "../../release/director-status";

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
