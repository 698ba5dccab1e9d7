/**
 * What HAProxy announces: a map with the sequence, and whether the health endpoint answers 200. It is changed over the
 * stats socket, and on disk for a reload. What starts HAProxy sets it to "not ready" on disk if other proxies must be
 * asked first.
 */
import { writeAtomically } from "../../../../system/atomic-file";
import { SEQUENCE_PATH, writeAnnouncement } from "../driver";
import type { Announcement } from "../driver";
import type { RuntimeSocket } from "./runtime-socket";

export const HEALTH_MAP = "health.map";
const READY = "ready";
const SEQUENCE = "sequence";

export function healthMap({ sequence, ready }: Announcement): string {
  return `${READY} ${ready ? "yes" : "no"}\n${SEQUENCE} ${sequence}\n`;
}

/** For each frontend with users. */
export const HEALTH_ENDPOINT = `  monitor-uri /proxy-healthz
  monitor fail if { str(${READY}),map(${HEALTH_MAP}) -m str no }
  http-request return status 200 content-type text/plain lf-string "%[str(${SEQUENCE}),map(${HEALTH_MAP},0)]" if { url ${SEQUENCE_PATH} }
`;

/** A HAProxy that runs with the configuration of an earlier base has no such map: it is always ready. */
const UNKNOWN = /unknown map|map identifier/i;

export async function announceByMap(socket: RuntimeSocket, announcement: Announcement): Promise<void> {
  const { interruptions } = socket;
  writeAnnouncement(announcement);
  // The file first: killed and restarted in between, HAProxy has it.
  writeAtomically(HEALTH_MAP, healthMap(announcement));
  const { sequence, ready } = announcement;
  for (const command of [
    `set map ${HEALTH_MAP} ${SEQUENCE} ${sequence}`,
    `set map ${HEALTH_MAP} ${READY} ${ready ? "yes" : "no"}`,
  ]) {
    const answer = await socket.send(command);
    if (answer === "" || UNKNOWN.test(answer) || socket.interruptions > interruptions) continue;
    throw new Error(`haproxy refused "${command}": ${answer}`);
  }
}
