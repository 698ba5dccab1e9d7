/** drain: takes one server out of use for a restart or a patch, after its clients have left, and returns it. */
import type { Command } from "commander";
import { isLocal, requireAzure } from "../../configuration/platform";
import { EXIT } from "../../release/exit-code";
import { InvalidInput } from "../../release/failure";
import { common, open, printResult, progressFor } from "../command-line/common";
import type { CommonOptions } from "../command-line/common";
import { drainArguments, drainOnProxies } from "../proxies/drain-server";
import { linesToType } from "../proxies/on-proxy";
import { out } from "../terminal/colours";

interface DrainOptions extends CommonOptions {
  readonly end?: boolean;
  readonly now?: boolean;
}

export function addDrain(program: Command): void {
  common(program.command("drain"))
    .description(
      "take a server out of use, once its clients have left, to restart or patch it; and return it",
    )
    .argument("<server>", "as in web-1")
    .option("--end", "verify the server and return it to use")
    .option("--now", "don't wait for its clients: their sessions end")
    .action(async (server: string, options: DrainOptions) => {
      if (options.end === true && options.now === true)
        throw new InvalidInput("--end returns the server, --now takes it out of use: choose one");
      const project = open(options);
      const { environment } = project;
      const request = { server, ends: options.end === true, isNow: options.now === true };
      if (!isLocal(environment)) {
        const lines = linesToType(requireAzure(environment), drainArguments(request));
        if (options.json === true)
          console.log(JSON.stringify({ outcome: "refused", toType: lines }, null, 2));
        else for (const { proxy, line } of lines) console.log(`on ${proxy}:  ${line}`);
        const until =
          request.ends || request.isNow
            ? ""
            : " until all print that the server is idle, then with --now on each";
        console.error(`Azure's proxies can't be reached from here. Type that on each of them${until}`);
        process.exitCode = EXIT.refused;
        return;
      }
      const progress = progressFor(options);
      const proxies = await drainOnProxies(project, environment, request, progress);
      const text = proxies.map(({ proxy, reason }) => `${out.green("✔")} ${proxy} ${reason}`).join("\n");
      progress.done(`${server} is ${request.ends ? "in use" : "free"}`);
      printResult(options, { outcome: proxies[0]!.outcome, server, proxies }, text);
    });
}
