/** JSON in documents, read by the schemas that read the real files. What a piece leaves out is filled in here. */
import * as z from "zod/mini";
import { parseLoadPlan } from "../../cli/load/plan";
import { TrafficAnswer } from "../../on-server/director/drivers/command/exchange";
import { AzurePlatform } from "../../configuration/azure/azure-platform";
import { parseEnvironment } from "../../configuration/environment-file";
import { hookFacts } from "../../configuration/hook-facts";
import { slotEndpoints } from "../../configuration/naming";
import { parseRecord } from "../../release/record";
import { MeasureReceipt, Receipt } from "../../release/receipt";
import { Release } from "../../release/release";
import { azureFile } from "../configuration/azure/examples";
import { environmentOf, LEAST, recordOf, SHA256 } from "../release/examples";

/** What is cut short, or yours to fill in. */
const ELLIPSES: readonly (readonly [string | RegExp, string])[] = [
  [`"sha256": "..."`, `"sha256": "${SHA256}"`],
  ["<sha256>", SHA256],
  [/<([a-z]+)>/g, "$1"],
  [`"https://..."`, `"https://example.org/shop.zip"`],
  ["AAAA... ", `AAAAC3NzaC1lZDI1NTE5AAAAI${"D".repeat(43)} `],
];

type Fields = Readonly<Record<string, unknown>>;

interface Kind {
  readonly name: string;
  is(fields: Fields): boolean;
  /** @throws Error saying what is wrong. */
  read(fields: Fields): unknown;
}

/** The first that fits. */
const KINDS: readonly Kind[] = [
  {
    name: "an environment",
    is: (fields) => "platform" in fields && "topology" in fields,
    read: (fields) => parseEnvironment(JSON.stringify(fields), "the environment"),
  },
  {
    name: "a record",
    is: (fields) => "sequence" in fields && "slots" in fields,
    read: (fields) => parseRecord(JSON.stringify(fields), "the record"),
  },
  {
    name: "a receipt",
    is: (fields) => "startedAt" in fields,
    read: (fields) => (fields["action"] === "measure" ? MeasureReceipt : Receipt).parse(fields),
  },
  {
    name: "what a hook gets",
    is: (fields) => "when" in fields && "sequence" in fields,
    read: (fields) => {
      const facts = hookFacts(environmentOf(), recordOf(), "before switch");
      expect(shapeOf(fields)).toEqual(shapeOf(facts));
    },
  },
  {
    name: "a hook",
    is: (fields) => "when" in fields,
    read: (fields) => readFragment({ hooks: [fields] }),
  },
  {
    name: "a question to a driver's program",
    is: (fields) => "operation" in fields,
    read: ({ traffic, ...fields }) => {
      z.parse(TrafficAnswer, { traffic });
      expect(shapeOf(fields)).toEqual({
        ...{
          formatVersion: "number",
          operation: "string",
          endpoints: shapeOf(slotEndpoints(environmentOf())),
        },
        proxy: { name: "string", host: "string", port: "number" },
      });
    },
  },
  {
    name: "a load plan",
    is: (fields) => "gets" in fields,
    read: (fields) => parseLoadPlan(fields),
  },
  {
    name: "settings of cdktf",
    is: (fields) => "app" in fields,
    read: (fields) => expect(fields).toEqual(expect.objectContaining({ app: expect.any(String) })),
  },
  {
    name: "fields of package.json",
    is: (fields) => "dependencies" in fields,
    read: ({ dependencies }) => z.parse(z.record(z.string(), z.string()), dependencies),
  },
  {
    name: "what a pipeline is to release",
    is: (fields) => "version" in fields && "artifact" in fields,
    read: ({ version, artifact: url, sha256, ...others }) =>
      z.parse(Release, { version, run: 1, artifact: { url, sha256 }, ...others }),
  },
  {
    name: "fields of a record",
    is: (fields) => ["heals", "sequence", "goal"].some((field) => field in fields),
    read: (fields) => parseRecord(JSON.stringify({ ...recordOf(), ...fields }), "the record"),
  },
  { name: "fields of an environment", is: () => true, read: (fields) => readFragment(fields) },
];

/** @returns what kind of piece it is. @throws Error where the product would not take it. */
export function readJson(text: string): string {
  const fields = parse(text);
  const kind = KINDS.find((each) => each.is(fields))!;
  kind.read(fields);
  return kind.name;
}

/** A piece without its braces is the fields of something. */
export function parse(text: string): Fields {
  const filled = ELLIPSES.reduce((filling, [short, whole]) => filling.replaceAll(short, whole), text);
  return JSON.parse(/^\s*"/.test(filled) ? `{${filled}}` : filled) as Fields;
}

function readFragment(fields: Fields): void {
  const { platform = {}, ...others } = fields as { platform?: Fields };
  const ofAzure = Object.keys(platform).some((field) => field !== "kind" && field in AzurePlatform.shape);
  if ("backend" in others || ofAzure) {
    parseEnvironment(azureFile(platform, others), "the environment with these fields");
    return;
  }
  const whole = { ...LEAST, platform: { ...LEAST.platform, ...platform }, ...others };
  parseEnvironment(JSON.stringify(whole), "the environment with these fields");
}

/** Names and types, all the way down. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shapeOf(inner)]));
}
