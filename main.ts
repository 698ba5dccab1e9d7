/**
 * The synth entry: environment + record -> two stacks, `base` and `web`. Run by cdktf-cli (see cdktf.json) and by
 * the `bluegreen` command, from the project's folder. BLUEGREEN_ENVIRONMENT names the environment file.
 */
import { existsSync, readFileSync } from "node:fs";
import { App } from "cdktf";
import { DEFAULT_ENVIRONMENT_FILE, parseEnvironment } from "./configuration/environment-file";
import { EXIT } from "./release/exit-code";
import { refuseConvergeSideBySide } from "./release/schedule";
import { emptyRecord, parseRecord, refuseOtherApplication, scheduleOf } from "./release/record";
import { InvalidInput } from "./release/failure";
import { BaseStack } from "./stacks/base-stack";
import { WebStack } from "./stacks/web-stack";

function main(): void {
  const file = process.env["BLUEGREEN_ENVIRONMENT"] || DEFAULT_ENVIRONMENT_FILE;
  if (!existsSync(file))
    throw new InvalidInput(`there is no environment file ${file}: set BLUEGREEN_ENVIRONMENT`);
  const environment = parseEnvironment(readFileSync(file, "utf8"), file);
  // The command plans a record before it becomes the environment's record.
  const recordFile = process.env["BLUEGREEN_RECORD"] ?? environment.record;
  const record = existsSync(recordFile)
    ? parseRecord(readFileSync(recordFile, "utf8"), recordFile)
    : emptyRecord(environment.application);
  refuseOtherApplication(record, environment.application, recordFile);
  refuseConvergeSideBySide(scheduleOf(record, environment), environment.topology, recordFile);

  // No stack traces: they contain this machine's paths, and the output may be committed.
  const app = new App({ stackTraces: false });
  new BaseStack(app, "base", { environment });
  new WebStack(app, "web", { environment, record });
  app.synth();
}

try {
  main();
} catch (error) {
  if (!(error instanceof InvalidInput)) throw error;
  console.error(error.message);
  process.exitCode = EXIT.badInput;
}
