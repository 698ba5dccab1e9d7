/** A stack whose state is in Terraform Cloud, with a workspace in execution mode Local: real Terraform, a stand-in of the API. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import execa from "execa";
import { Stack } from "../../../cli/terraform/stack";
import type { Failure } from "../../../release/failure";
import { Hcp } from "./hcp";

const WORKSPACE = "shop-prod-web";
const lacking = ["terraform", "openssl"].find((tool) => spawnSync(tool, ["version"]).error !== undefined);
const describeHere = lacking === undefined ? describe : describe.skip;
if (lacking !== undefined) console.warn(`skipped, there is no ${lacking}`);

const STACK = {
  terraform: { cloud: { organization: "acme", workspaces: { name: WORKSPACE } } },
  resource: { terraform_data: { "begin-proxy-1": { triggers_replace: "begin-1" } } },
};

describeHere("a stack in Terraform Cloud", () => {
  const before = { ...process.env };
  let folder: string;
  let hcp: Hcp;
  let stack: Stack;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "bluegreen-cloud-"));
    hcp = await Hcp.start(folder, WORKSPACE);
    const stackFolder = join(folder, "stacks/web");
    mkdirSync(stackFolder, { recursive: true });
    writeFileSync(join(stackFolder, "cdk.tf.json"), JSON.stringify(STACK));
    const settings = join(folder, "terraformrc");
    writeFileSync(settings, `credentials "${hcp.hostname}" {\n  token = "a-token"\n}\n`);
    Object.assign(process.env, {
      SSL_CERT_FILE: hcp.certificate,
      TF_CLI_CONFIG_FILE: settings,
      TF_CLOUD_HOSTNAME: hcp.hostname,
      CHECKPOINT_DISABLE: "1",
    });
    const terraform = { path: "terraform", name: "terraform", version: "1.11.4", fetched: false } as const;
    stack = new Stack(folder, "web", terraform);
  });
  afterAll(() => {
    process.env = before;
    hcp.close();
    rmSync(folder, { recursive: true });
  });

  test("is initialised, planned, and applied as planned; its state is there, and its lock given back", async () => {
    const plan = await stack.plan();
    expect(plan.changes).toMatchObject([{ address: "terraform_data.begin-proxy-1", actions: ["create"] }]);
    expect(hcp.state).toBeNull();
    const applied = await stack.apply({ onStep: () => undefined });
    expect(applied).toMatchObject({ succeeded: true, reasons: [] });
    expect(hcp.state).toContain("begin-1");
    expect(hcp.requests).toContain("POST /workspaces/ws-1/actions/lock");
    expect(hcp.lockedBy).toBeNull();
  });

  test("is read again: the state, a refresh, and a plan that does nothing", async () => {
    expect(await stack.state()).toMatchObject([{ address: "terraform_data.begin-proxy-1" }]);
    expect(await stack.refreshedState()).toMatchObject([{ address: "terraform_data.begin-proxy-1" }]);
    expect((await stack.plan()).isEmpty).toBe(true);
  });

  test("is refused with exit code 3 while somebody else holds the lock; the command that it prints unlocks", async () => {
    hcp.lockedBy = "somebody else";
    const refused = (await stack.plan().catch((error: unknown) => error)) as Failure;
    expect(refused).toMatchObject({ exitCode: 3 });
    // The lock that Terraform shows is that of who asks.
    expect(refused.message).toMatch(
      /^the state of web is locked \(the page of the workspace acme\/shop-prod-web says by whom\)/,
    );
    expect(refused.message).not.toContain(userInfo().username + "@");
    const [, command = "", where] = /`(terraform force-unlock .+)` in (.+)$/.exec(refused.message)!;
    // Not synchronously: the stand-in runs in this process.
    const [program, ...words] = command.split(" ");
    const { exitCode } = await execa(program!, [words[0]!, "-force", ...words.slice(1)], {
      cwd: where!,
      reject: false,
    });
    expect({ exitCode, lockedBy: hcp.lockedBy }).toEqual({ exitCode: 0, lockedBy: null });
  });
});
