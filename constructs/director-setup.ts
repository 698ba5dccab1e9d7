/**
 * Installs the director on existing proxies, and has it write the proxy's configuration. It starts and reloads nothing:
 * the machines' owner runs the proxy.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import { directorSpec, encodeSpec } from "../configuration/director-spec";
import type { CustomEnvironment } from "../configuration/custom-environment";
import { emptyRecord } from "../release/record";
import { refuseOtherProxies } from "./blue-green-deployment";
import { onServerProgram } from "./on-server-program";
import { privateOutput } from "./private-output";
import type { Server } from "./server";

/** What {@link DirectorSetup} installs, and on which proxies. */
export interface DirectorSetupProps {
  readonly environment: CustomEnvironment;
  /** The proxies, in the environment's order. They need bash, flock (util-linux) and Node 18 or newer. */
  readonly proxies: readonly Server[];
  /**
   * Part of the step's name. Change it when a machine is replaced, or to return to an earlier director: a step runs once
   * per name and server. 1 to 20 characters of a-z, 0-9 and -. @default - none
   */
  readonly edition?: string;
  /** @default - nothing */
  readonly dependsOn?: ITerraformDependable[];
}

const SETUP_SECONDS = 120;

/**
 * Runs once for each version of the director and of the environment, in the stack of the machines: releases change none
 * of it. It writes into the server's folder `director.js` and the proxy's files. For haproxy these are `haproxy.cfg` and
 * `traffic.map` (run HAProxy 2.4 or newer in that folder, `haproxy -W -f haproxy.cfg`), for nginx `nginx.conf` with its
 * folders (`nginx -p <folder>/ -c nginx.conf`), for a custom driver what it writes. The traffic stays as it is.
 */
export class DirectorSetup extends Construct {
  /** Resources that need a director depend on these. */
  readonly steps: ITerraformDependable[];

  /** @throws InvalidInput if the proxies are not the environment's. @throws Error if the edition is not valid. */
  constructor(scope: Construct, id: string, props: DirectorSetupProps) {
    super(scope, id);
    const { environment, proxies, edition, dependsOn = [] } = props;
    refuseOtherProxies(environment, proxies);
    privateOutput(this);
    if (edition !== undefined && !/^[a-z0-9-]{1,20}$/.test(edition)) {
      throw new Error(`'edition' (${JSON.stringify(edition)}) must be 1 to 20 characters of a-z, 0-9 and -`);
    }
    const script = onServerProgram("director/set-up-director.sh");
    const nothing = emptyRecord(environment.application);
    this.steps = proxies.map((proxy, index) => {
      const spec = encodeSpec(directorSpec(environment, nothing, index));
      const digest = createHash("sha256")
        .update(readFileSync(script))
        .update(spec)
        .digest("hex")
        .slice(0, 10);
      return proxy.run(this, `director-${proxy.name}`, {
        name: ["director", digest, ...(edition === undefined ? [] : [edition])].join("-"),
        script,
        parameters: { DIRECTOR_SPEC: spec },
        timeoutSeconds: SETUP_SECONDS,
        dependsOn,
      });
    });
  }
}
