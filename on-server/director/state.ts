/**
 * The director's state between two steps, in one file beside the proxy: the fence (highest sequence seen), the phase,
 * and *stable*. Where requests go now is read from the proxy, not from this file.
 */
import { Failure } from "../../release/failure";
import { readFileSync } from "node:fs";
import * as z from "zod/mini";
import { DirectorState } from "../../release/director-status";
import { EXIT } from "../../release/exit-code";
import { writeAtomically } from "../../system/atomic-file";
import { CLOSED } from "./drivers/driver";

const STATE_FILE = "state.json";

export type State = DirectorState;

export const NEVER_LIVE: State = {
  formatVersion: 1,
  sequence: 0,
  recordDigest: "",
  finished: true,
  aborted: false,
  phase: "stable",
  stable: null,
  candidate: null,
  recorded: [],
  shared: false,
  active: null,
  retainedUntil: null,
  contracted: [],
  weight: 0,
  traffic: { intended: CLOSED, before: CLOSED },
  deadline: null,
  failedDigests: [],
  unfinished: [],
  journal: [],
  brokenGlass: null,
  result: null,
};

export const KEEP_FAILED_DIGESTS = 20;

export interface StateStore {
  load(): State;
  save(state: State): void;
}

export class StateFile implements StateStore {
  load(): State {
    let text: string;
    try {
      text = readFileSync(STATE_FILE, "utf8");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return NEVER_LIVE;
      throw new Failure(`${STATE_FILE} of this proxy can't be read (${code})`, EXIT.unexpected);
    }
    try {
      return z.parse(DirectorState, JSON.parse(text));
    } catch {
      throw new Failure(
        `${STATE_FILE} of this proxy is damaged; nothing was changed. Restore the file from a backup. Without one, take the proxy out of the load balancer and remove the file: the proxy then starts as a new one and serves nothing until the next release`,
        EXIT.refused,
      );
    }
  }

  save(state: State): void {
    writeAtomically(STATE_FILE, `${JSON.stringify(state, null, 2)}\n`);
  }
}
