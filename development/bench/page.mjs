/**
 * The section of docs/reliability.md about benchmarks, from the figures of a run:
 *
 *   npm run bench -- --json development/bench/figures.json
 *   node development/bench/page.mjs development/bench/figures.json | node development/build/section.mjs bench docs/reliability.md
 */
import { readFileSync } from "node:fs";
import { format } from "prettier";
import { count, seconds } from "./figures.mjs";
import { tablesOf, textOf } from "./tables.mjs";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("usage: node development/bench/page.mjs FIGURES.json");
const results = JSON.parse(readFileSync(file, "utf8"));
if (results.quick) throw new Error(`${file} comes from a --quick run, which is not a measurement`);

/** For each table: how it was measured, and the conclusions. */
const TEXTS = {
  changes: (changes) => `
GETs and POSTs on keep-alive connections follow a fixed schedule, at half of the rate that the same client reaches through
the same set-up, without retries. A latency counts from when its request was due. A pair is 200 changes of the weight (all
sizes, up and down; every 25 changes the other slot becomes live), one each 50 ms, and as long at rest, in turns of half a
second. A request is lost if it gets no answer or a wrong one.

${Object.entries(changes)
  .filter(([name]) => name.includes("our driver"))
  .map(
    ([name, { failedDuringChanges, failedAtRest, sent, changes: made }]) =>
      `* ${name}: ${count(failedDuringChanges + failedAtRest)} of ${count(sent)} requests lost in ${count(made)} changes.`,
  )
  .join("\n")}

HAProxy's weights at run time need no reload, but keep no client on its side. They are set server by server: for a moment
they are neither the old nor the new ones.`,
  throughput: (throughput) => `
The proxy alone loads one processor; \`wrk\` with 64 connections and the instances (pages of an NGINX) have the other. Our
configuration and the plain one send the instances the same, and take turns of a second: at rest, and with traffic divided
in half. Divided, plain HAProxy keeps a client on its side by a cookie; plain NGINX does not, its \`split_clients\` divides
requests. Our configuration looks up the slot for every request, counts answers by slot, and fails over. While traffic is
divided it also measures latencies (HAProxy those of new clients and of two buckets of each side, as our driver does on a site above 2,000 requests a second). The plain one only forwards.

${Object.entries(throughput)
  .flatMap(([name, states]) =>
    Object.entries(states).map(
      ([state, { throughputRatio }]) =>
        `* ${name}, ${state}: ${throughputRatio.median.toFixed(2)} of the plain throughput.`,
    ),
  )
  .join("\n")}
`,
  release: ({ bluegreen, cdktf }) => `
The same release of the sample application onto two servers behind HAProxy, on one machine, without a bake: by Terraform
alone with the same graph of steps (\`init\`, \`plan -out\`, \`apply\` in a shell, as with hand-written HCL), by
\`bluegreen release\`, and by \`cdktf deploy web\`. "All but Terraform" is the time without a running Terraform: packing and
checking the artifact, the record, the synth, the proof, the proxies' status, the receipt.

* Our overhead over Terraform's own time: ${seconds(bluegreen.ownMs.median)}, of that the synth ${seconds(bluegreen.calls.synth)}.
* cdktf-cli's: ${seconds(cdktf.ownMs.median)}, of that the synth ${seconds(cdktf.calls.synth)}.`,
  synth: ({ programs }) => {
    const perServer = (programs["200 servers"].processorMs - programs["2 servers"].processorMs) / 198;
    const perEnvironment =
      (programs["100 environments"].processorMs - programs["1 environments"].processorMs) / 99;
    return `
Whole processes. The command's synth is one bundle with compiled code; a library loads the same constructs file by file.
Time grows linearly: ${perServer.toFixed(0)} ms of processor time a server, ${perEnvironment.toFixed(0)} ms an environment. The last row also
imports the provider's index, as this project never does.`;
  },
  director: () => `
A Terraform step starts it, and it ends with the step; it does not run between releases. The last column is measured by 16
users at full speed: from the call of the driver to the last request sent to the old slot.`,
};

const { date, processors, memoryGib, ...versions } = results.machine;
const text = `## Benchmarks

One command measures every figure again; \`npm run bench -- --help\` names its parts, which can run one by one:

\`\`\`sh
npm ci && npm run bench -- --json development/bench/figures.json
node development/bench/page.mjs development/bench/figures.json | node development/build/section.mjs bench docs/reliability.md
\`\`\`

Measured on ${date} with ${processors}, ${memoryGib} GiB, for proxy, instances and load together (${Object.entries(
  versions,
)
  .map(([name, version]) => `${name} ${version}`)
  .join(
    "; ",
  )}). Figures are medians, with the middle half of the measurements in brackets. Read the ratios, whose two sides took turns on
the same machine, not the absolute figures. \`--quick\` only shows that it runs.
${tablesOf(results)
  .map((table) => {
    const [title, ...rest] = textOf(table).split("\n\n");
    return `### ${title}\n${TEXTS[table.part](results[table.part])}\n\n${rest.join("\n\n")}`;
  })
  .join("\n\n")}
`;
process.stdout.write(await format(text, { parser: "markdown", printWidth: 120 }));
