/**
 * Keeps a new configuration from cutting off the release that serves: base may change the protocol of instances, but a
 * running instance speaks the one it was built for.
 */
import type { DirectorSpec } from "../../configuration/director-spec";
import type { InstanceProtocol } from "../../configuration/http-settings";
import { EXIT } from "../../release/exit-code";
import { Failure } from "../../release/failure";
import type { Slot } from "../../release/slot";
import { httpProbe } from "./probe";

const NAMES: Readonly<Record<InstanceProtocol, string>> = { http1: "HTTP/1.1", http2: "HTTP/2" };
/** A dead instance must not keep base waiting. */
const TIMEOUT_SECONDS = 5;

/** @throws Failure (refused) if an instance in these slots is healthy only with the other protocol. */
export async function refuseUnreachableInstances(
  spec: DirectorSpec,
  serving: readonly Slot[],
): Promise<void> {
  const { instances } = spec.proxy.http;
  const other = instances === "http1" ? "http2" : "http1";
  const timeoutSeconds = Math.min(spec.verification.timeoutSeconds, TIMEOUT_SECONDS);
  const verification = { ...spec.verification, timeoutSeconds };
  const speaks = async (protocol: InstanceProtocol, endpoint: (typeof spec.endpoints)[Slot][number]) =>
    (await httpProbe(verification, protocol)(endpoint, null)).healthy;
  const checks = serving.flatMap((slot) =>
    spec.endpoints[slot].map(async (endpoint) => {
      if ((await speaks(instances, endpoint)) || !(await speaks(other, endpoint))) return;
      throw new Failure(
        `http.instances is "${instances}", but the live instance on ${endpoint.server}, port ${endpoint.port}, speaks only ${NAMES[other]}: nothing was changed. Set it back to "${other}", or create a second environment`,
        EXIT.refused,
      );
    }),
  );
  await Promise.all(checks);
}
