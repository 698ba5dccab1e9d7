/** `bluegreen recover` where it has nothing to ask: bad input, nothing deployed, a lock. The rest is end to end. */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { directorSpec, encodeSpec, stepSpec } from "../../../configuration/director-spec";
import type { DirectorSpec } from "../../../configuration/director-spec";
import { parseEnvironment } from "../../../configuration/environment-file";
import type { Environment } from "../../../configuration/environment";
import { serverPlaces } from "../../../configuration/naming";
import { stepId, stepName } from "../../../release/steps";
import { emptyRecord, recordDigest } from "../../../release/record";
import type { ReleaseRecord } from "../../../release/record";
import { releaseId } from "../../../release/release";
import { SLOTS } from "../../../release/slot";
import { LEAST, recordOf } from "../../release/examples";
import { lastLine } from "../proxies/last-line";
import { Folder, STACKS } from "./command";

/** A Terraform that answers with this state, refreshed or not; the provider is not needed. */
function stateIs(folder: Folder, resources: readonly object[]): void {
  const values = { root_module: { resources } };
  const stored = (resources as { address: string; values: object }[]).map(
    ({ address, values: attributes }) => ({
      ...{ mode: "managed", type: address.split(".")[0], name: address.split(".")[1] },
      instances: [{ attributes }],
    }),
  );
  folder.write("state.json", { version: 4, terraform_version: "1.11.4", resources: stored });
  folder.write("refreshed.json", { format_version: "1.2", prior_state: { values } });
  const script = [
    "#!/bin/sh",
    `case "$*" in`,
    `  version*) echo '{"terraform_version": "1.11.4"}' ;;`,
    `  *refresh.tfplan) test "$1" = plan || cat "${folder.in("refreshed.json")}" ;;`,
    `  "state pull") cat "${folder.in("state.json")}" ;;`,
    "esac",
  ];
  folder.write("terraform", script.join("\n"));
  chmodSync(folder.in("terraform"), 0o755);
}

/** A proxy of this machine whose director answers like this. */
function proxyAnswers(folder: Folder, answer: object | string): void {
  const text = typeof answer === "string" ? answer : JSON.stringify(answer);
  folder.write(".bluegreen/local/servers/proxy-1/admin.sock", "");
  folder.write(".bluegreen/local/servers/proxy-1/director.js", `console.log(${JSON.stringify(text)});`);
}

/** What a director of version 0.1.0 answers, which kept no record: what is live, and no more than that. */
function statusAfter(record: ReleaseRecord): object {
  const { active, sequence } = record;
  const { version, run, artifact } = record.slots[active]!;
  const stable = { slot: active, releaseId: `${version}-${run}`, sha256: artifact.sha256, contracts: [] };
  const traffic = { live: active, weight: 0, offset: 0, mode: "serve", fallback: false };
  return {
    ...{ proxy: "proxy-1", traffic, serving: [active], endpoints: { blue: [], green: [] } },
    state: {
      ...{ formatVersion: 1, sequence, recordDigest: recordDigest(record), finished: true, aborted: false },
      ...{ phase: "stable", stable, candidate: null, recorded: [stable], shared: false, active: null },
      ...{ retainedUntil: null, contracted: [], weight: 0, traffic: { intended: traffic, before: traffic } },
      ...{ deadline: null, failedDigests: [], unfinished: [], journal: [], result: null },
    },
  };
}

describe("recover", () => {
  let folder: Folder;
  beforeEach(() => {
    folder = new Folder();
    folder.write("cdktf.json", { app: `node ${STACKS}` });
    folder.write("environments/local.json", LEAST);
  });
  afterEach(() => folder.remove());

  it("leaves a record alone where nothing was ever applied", async () => {
    folder.write("release.json", emptyRecord("socialgoal"));
    const { exitCode, stdout } = await folder.bluegreen(["recover", "--json"]);
    expect({ exitCode, result: JSON.parse(stdout) as object }).toMatchObject({
      exitCode: 0,
      result: { outcome: "nothing-to-recover", record: null, kept: null, exitCode: 0 },
    });
  });

  it("writes an empty record where one is damaged and nothing was ever released", async () => {
    folder.write("release.json", "<<<<<<< HEAD");
    const { exitCode, stdout } = await folder.bluegreen(["recover", "--yes"]);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(
        /^release\.json is recovered .*; the previous file is release\.json\.lost-/,
      ),
    });
    expect(folder.json("release.json")).toEqual(emptyRecord("socialgoal"));
    const kept = readdirSync(folder.path).find((name) => name.startsWith("release.json.lost-"));
    expect(folder.text(kept!)).toBe("<<<<<<< HEAD");
  });

  it("finds the receipts where the environment keeps them, and no other application's", async () => {
    folder.write("environments/local.json", { ...LEAST, receipts: "ops/receipts" });
    folder.write("release.json", "lost");
    const record = recordOf();
    folder.write("ops/receipts/2.json", { record: { after: record } });
    folder.write("ops/receipts/7.json", {
      record: { after: recordOf({ application: "other", sequence: 7 }) },
    });
    folder.write(".bluegreen/local/receipts/9.json", { record: { after: recordOf({ sequence: 9 }) } });
    stateIs(folder, []);
    const terraform = { TERRAFORM_BINARY_NAME: folder.in("terraform") };
    const { exitCode, stderr } = await folder.bluegreen(["recover", "--yes"], terraform);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 0,
      stderr: expect.stringMatching(/^reconstructed, from the receipt ops\/receipts\/2\.json$/m),
    });
    expect(folder.json("release.json")).toEqual(record);
  });

  it.each([
    ["a zip", "socialgoal-2.0.0-000000000000.zip", "PK\x03\x04"],
    ["a .tar.gz", "socialgoal-2.0.0-000000000000.tar.gz", "\x1f\x8b"],
    ["an archive under any name", "from the backup", "PK\x03\x04"],
  ])("finds an artifact that is kept as %s by its content", async (_, name, magic) => {
    const content = Buffer.from(`${magic} version 2.0.0`, "latin1");
    const file = `.bluegreen/local/artifacts/${name}`;
    mkdirSync(folder.in(".bluegreen/local/artifacts"), { recursive: true });
    writeFileSync(folder.in(file), content);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const artifact = { url: pathToFileURL(folder.in(file)).href, sha256 };
    const record = recordOf({
      sequence: 1,
      slots: { blue: null, green: { version: "2.0.0", run: 1, artifact } },
      previous: null,
    });
    const environment = parseEnvironment(JSON.stringify(LEAST), "it");
    folder.write("release.json", "lost");
    folder.write(".bluegreen/local/cdktf.out/stacks/web/cdk.tf.json", {
      resource: {
        terraform_data: {
          [stepId.begin("proxy-1")]: {
            provisioner: [
              {
                "local-exec": {
                  command: "begin",
                  environment: { DIRECTOR_SPEC: encodeSpec(directorSpec(environment, record, 0)) },
                },
              },
            ],
          },
        },
      },
    });
    stateIs(folder, [
      {
        address: `terraform_data.${stepId.begin("proxy-1")}`,
        values: { triggers_replace: stepName.begin(record) },
      },
    ]);
    proxyAnswers(folder, statusAfter(record));
    const terraform = { TERRAFORM_BINARY_NAME: folder.in("terraform") };
    const ran = await folder.bluegreen(["recover", "--yes", "--json"], terraform);
    expect({ exitCode: ran.exitCode, stderr: ran.stderr.slice(0, 500) }).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(ran.stdout)).toMatchObject({
      ...{ outcome: "recovered", proof: "reconstructed" },
      record: { ...record, sequence: 2 },
    });
  });

  it.each([
    [
      "the field that is wrong",
      (status: object) => ({ ...status, serving: "blue" }),
      /serving must be of type array/,
    ],
    ["what it is instead", () => "served", /its answer is not JSON/],
  ])("refuses a proxy's answer that is no director's, with %s", async (_, change, says) => {
    folder.write("release.json", "lost");
    stateIs(folder, []);
    proxyAnswers(folder, change(statusAfter(recordOf())));
    const terraform = { TERRAFORM_BINARY_NAME: folder.in("terraform") };
    const { exitCode, stderr } = await folder.bluegreen(["recover", "--yes"], terraform);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringMatching(says) });
    expect(stderr).toMatch(/^.*proxy-1 can't be queried: /m);
    expect(folder.text("release.json")).toBe("lost");
  });

  it("needs somebody's yes", async () => {
    folder.write("release.json", "{");
    const { exitCode, stderr } = await folder.bluegreen(["recover"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringMatching(/then add --yes$/m) });
    expect(folder.text("release.json")).toBe("{");
  });

  it.each([
    [
      "an environment that is not there",
      ["--environment", "no.json"],
      /there is no environment file no\.json/,
    ],
    ["an unknown option", ["--force"], /unknown option '--force'/],
    ["an argument", ["release.json"], /too many arguments/],
  ])("refuses %s", async (_, options, says) => {
    const { exitCode, stderr, stdout } = await folder.bluegreen(["recover", "--yes", ...options]);
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: expect.stringMatching(says),
    });
  });
});

/** Nobody reaches the proxies there: all that is known is what Terraform's state keeps of the steps. */
describe("recover on Azure", () => {
  const nested = (id: string): string => `release_${id}_1A2B3C4D`;
  const CASES: readonly [os: string, more: string, record: ReleaseRecord, idOf: (id: string) => string][] = [
    ["linux", "", recordOf({ retry: true }), (id) => id],
    ["windows", "", recordOf({ retry: true }), (id) => id],
    [
      "linux",
      ", with the heals of a deployment in a construct",
      recordOf({ sequence: 4, retry: true, heals: { "web-1": 3 } }),
      nested,
    ],
  ];
  const folder = new Folder();
  afterAll(() => folder.remove());

  const platform = (os: string) => ({
    kind: "azure",
    subscriptionId: "00000000-0000-0000-0000-000000000000",
    tenantId: "00000000-0000-0000-0000-000000000001",
    location: "westeurope",
    sshPublicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDn1nXS8Z8h1nV1pX0k6Jm3gk8g1ZbO1n0bWm1xq3i5K",
    webServers: { os },
  });

  function stateAfter(
    record: ReleaseRecord,
    environment: Environment,
    os: string,
    idOf: (id: string) => string,
    directed: DirectorSpec,
  ): object[] {
    const step = (id: string, name: string, parameters: Record<string, string>, output: object) => ({
      address: `azurerm_virtual_machine_run_command.${idOf(id)}`,
      values: {
        name,
        parameter:
          os === "windows" && id.startsWith("install")
            ? [{ name: "Parameters", value: Buffer.from(JSON.stringify(parameters)).toString("base64") }]
            : Object.entries(parameters).map(([key, value]) => ({ name: key, value })),
        instance_view: [{ output: JSON.stringify(output), exit_code: 0 }],
      },
    });
    const { active, sequence } = record;
    const live = record.slots[active]!;
    const stable = { slot: active, releaseId: releaseId(live) };
    const report = lastLine({ serving: [active] }, { sequence, stable });
    const spec = { DIRECTOR_SPEC: encodeSpec(directed) };
    const installs = serverPlaces(environment).flatMap(({ name: server }) =>
      SLOTS.map((slot) => {
        const release = record.slots[slot]!;
        const parameters = {
          ...{ RELEASE_ID: releaseId(release), VERSION: release.version },
          ARTIFACT_URL_BASE64: Buffer.from(release.artifact.url).toString("base64"),
          ARTIFACT_SHA256: release.artifact.sha256,
        };
        const output = { step: "install", releaseId: releaseId(release) };
        return step(stepId.install(slot, server), stepName.install(record, slot, server), parameters, output);
      }),
    );
    return [
      step(stepId.begin("proxy-1"), stepName.begin(record), spec, report),
      ...installs,
      step(stepId.switch("proxy-1"), stepName.switch(record), spec, report),
    ];
  }

  const recover = async (
    os: string,
    record: ReleaseRecord,
    idOf: (id: string) => string,
    specOf: typeof stepSpec,
  ): Promise<unknown> => {
    const { start, ...rest } = LEAST;
    const file = { ...rest, name: "sim", platform: platform(os), ...(os === "linux" ? { start } : {}) };
    folder.write("environments/sim.json", file);
    folder.write("release.json", "lost");
    const environment = parseEnvironment(JSON.stringify(file), "it");
    const spec = specOf(environment, record, 0);
    stateIs(folder, stateAfter(record, environment, os, idOf, spec));
    folder.write("cdktf.json", { app: `node ${STACKS}` });
    const args = ["recover", "--yes", "--json", "--environment", "environments/sim.json"];
    const ran = await folder.bluegreen(args, { TERRAFORM_BINARY_NAME: folder.in("terraform") });
    expect({ exitCode: ran.exitCode, stderr: ran.stderr.slice(0, 500) }).toMatchObject({ exitCode: 0 });
    return JSON.parse(ran.stdout);
  };

  it.each(CASES)("reads it back from what the steps on %s were given%s", async (os, _, record, idOf) => {
    const recovered = await recover(os, record, idOf, stepSpec);
    expect(recovered).toMatchObject({ outcome: "recovered", proof: "exact", record });
    expect(folder.json("release.json")).toEqual(record);
  });

  it.each(CASES)(
    "makes one that fits from what the steps of 0.1.0 on %s were given%s, which brought no record",
    async (os, _, record, idOf) => {
      const recovered = await recover(os, record, idOf, directorSpec);
      const { retry: _retry, slots, ...facts } = record;
      expect(recovered).toMatchObject({
        ...{ outcome: "recovered", proof: "reconstructed" },
        record: { ...facts, sequence: record.sequence + 1, slots: { ...slots, blue: null } },
      });
    },
  );
});
