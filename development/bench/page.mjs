/**
 * docs/benchmarks.md, written from the figures of a run:
 *
 *   npm run bench -- --json development/bench/figures.json && node development/bench/page.mjs development/bench/figures.json > docs/benchmarks.md
 */
import { readFileSync } from "node:fs";
import { format } from "prettier";
import { count, seconds } from "./figures.mjs";
import { tablesOf, textOf } from "./tables.mjs";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("usage: node development/bench/page.mjs FIGURES.json");
const results = JSON.parse(readFileSync(file, "utf8"));
if (results.quick) throw new Error(`${file} comes from a --quick run, which nobody should believe`);

/** Of each table: how it came to be, and what it says. */
const WORDS = {
  changes: (changes) => `
GETs and POSTs on keep-alive connections come by a schedule that no answer slows down, at half of the rate that the same
client reaches through the same set-up; nothing is tried again, and a latency counts from when its request was due. A pair
is 200 changes of the share (all sizes, up and down, every 25 changes the other slot becomes live), one each 50 ms, and as
long at rest, in turns of half a second. A request is lost if it gets another answer than the one that was asked for, or none.

${Object.entries(changes)
  .filter(([name]) => name.includes("our driver"))
  .map(
    ([name, { failedDuringChanges, failedAtRest, sent, changes: made }]) =>
      `* ${name}: ${count(failedDuringChanges + failedAtRest)} of ${count(sent)} requests lost in ${count(made)} changes.`,
  )
  .join("\n")}

Weights at run time, which need no reload, keep no client on its side, and each server is told by itself: for a moment the
weights are neither the old ones nor the new ones.`,
  throughput: (throughput) => `
The proxy has one processor for itself and is its whole load; \`wrk\` with 64 connections and the instances (pages of an
NGINX) have the other one. Ours and the plain configuration tell the instances the same and take turns, a second each:
between releases, and while half of the traffic goes to either slot. Then a client keeps its side in plain HAProxy, by a
cookie of its own, and not in plain NGINX, whose \`split_clients\` divides requests. Ours looks up who gets what with
every request, counts answers by slot, and stands in for a slot that fails; while traffic is divided it counts their
latencies, too (HAProxy those of new clients and of two buckets of each side, which is what our driver measures on a site
with more than 2,000 requests a second). The plain one passes on.

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
The same release of the sample application onto two servers behind HAProxy, on one machine, nothing bakes: by Terraform alone
with the same steps in the same graph (\`init\`, \`plan -out\`, \`apply\` in a shell, as with hand-written HCL), by
\`bluegreen release\`, and by \`cdktf deploy web\`. "All but Terraform" is the time in which no Terraform runs: packing and
checking the artifact, the record, the synth, the proof, asking the proxies, the receipt.

* Our overhead over Terraform's own time: ${seconds(bluegreen.ownMs.median)}, of that the synth ${seconds(bluegreen.calls.synth)}.
* cdktf-cli's: ${seconds(cdktf.ownMs.median)}, of that the synth ${seconds(cdktf.calls.synth)}.`,
  synth: ({ programs }) => {
    const perServer = (programs["200 servers"].processorMs - programs["2 servers"].processorMs) / 198;
    const perEnvironment =
      (programs["100 environments"].processorMs - programs["1 environments"].processorMs) / 99;
    return `
Processes from start to end. The command's synth is one bundle with compiled code; as a library the same constructs are
loaded file by file. It grows with what is in it and not faster: ${perServer.toFixed(0)} ms of processor time a server, ${perEnvironment.toFixed(0)} ms an
environment. The provider's index, which this project never imports, is in the last row.`;
  },
  director: () => `
It is started by a Terraform step and ends with it; between releases nothing of it runs. The last column is seen by 16 users
at full speed: from asking the driver for the other slot to the sending of the last request that still went to the old one.`,
};

const { date, processors, memoryGib, ...versions } = results.machine;
const text = `# Benchmarks

Every figure here can be made again with one command; parts can be measured one by one, and the rest of the file stays:

\`\`\`sh
npm ci && npm run bench -- --json development/bench/figures.json
node development/bench/page.mjs development/bench/figures.json > docs/benchmarks.md
\`\`\`

Measured on ${date} with ${processors}, ${memoryGib} GiB, which proxy, instances and load share (${Object.entries(
  versions,
)
  .map(([name, version]) => `${name} ${version}`)
  .join(
    "; ",
  )}). Figures are medians; in brackets is the middle half of the measurements. Read ratios, not absolute figures: the
two sides of a ratio took turns on the same machine. \`--quick\` shows that it runs; \`npm run bench -- --help\` names the parts.
${tablesOf(results)
  .map((table) => {
    const [title, ...rest] = textOf(table).split("\n\n");
    return `## ${title}\n${WORDS[table.part](results[table.part])}\n\n${rest.join("\n\n")}`;
  })
  .join("\n\n")}
`;
process.stdout.write(await format(text, { parser: "markdown", printWidth: 120 }));
