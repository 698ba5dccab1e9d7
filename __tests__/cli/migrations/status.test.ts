/** `bluegreen migrations status`: what is applied, running, pending and waiting, as far as it is known from here. */
import { Failure } from "../../../release/failure";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pc from "picocolors";
import { readJournal } from "../../../cli/migrations/azure-journal";
import { formatJournal } from "../../../cli/migrations/format-journal";
import { knownJournal } from "../../../cli/migrations/known-journal";
import type { KnownJournal } from "../../../cli/migrations/journal";
import type { StateResource } from "../../../cli/terraform/stack";
import type { ReleaseRecord } from "../../../release/record";
import { environmentOf, recordOf, releaseOf } from "../../release/examples";

const words = (journal: KnownJournal): string => formatJournal(journal, pc.createColors(false));
const noTerraform = () => Promise.reject(new Error("Terraform is not needed"));

describe("the local platform asks the database", () => {
  const environment = environmentOf({ platform: { kind: "local", database: "postgres" } });
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "bluegreen-journal-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  /** @param program of the migrator that the last step brought. */
  function migratorThat(program: string): void {
    const server = join(folder, ".bluegreen/local/servers/operations-1");
    mkdirSync(server, { recursive: true });
    writeFileSync(join(server, "migrate.js"), program);
  }
  const answers = (line: string, exitCode = 0): string =>
    `console.log(${JSON.stringify(line)}); process.exitCode = ${exitCode};`;
  const ask = (of = environment) => {
    const project = { folder, environmentFile: "x.json", environment: of, synth: ["true"] as const };
    return knownJournal(project, recordOf(), noTerraform);
  };
  const refusal = async (): Promise<Failure> => {
    const error: unknown = await ask().then(
      () => new Error("it was not refused"),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(Failure);
    return error as Failure;
  };

  const SCRIPT = { phase: "expand", release: null, started: null, finished: null };
  const STATUS = {
    outcome: "status",
    scripts: [
      {
        ...SCRIPT,
        ...{ name: "0001-goals.sql", status: "applied", release: "1.0.0-1" },
        ...{ started: "2026-11-29T12:00:00Z", finished: "2026-11-29T12:00:01Z" },
      },
      {
        ...SCRIPT,
        ...{ name: "0002-index.sql", status: "running", release: "1.1.0-2", started: "2026-11-29T13:00:00Z" },
      },
      { name: "0003-more.sql", phase: "expand", status: "pending" },
      { name: "0004-contract-x.sql", phase: "contract", status: "waiting" },
    ],
    ahead: ["0005-later.sql"],
  };

  it("and shows each script, with the way on for one that did not come to its end", async () => {
    migratorThat(answers(JSON.stringify(STATUS)));
    const journal = await ask();
    expect(journal).toMatchObject({ source: "database", step: null, ahead: ["0005-later.sql"] });
    expect(journal.scripts[2]).toEqual({ ...SCRIPT, name: "0003-more.sql", status: "pending" });
    expect(words(journal).split("\n")).toEqual([
      "migrations: 2 applied, 1 running, 1 pending, 1 waiting",
      "  0001-goals.sql       applied  with 1.0.0-1, 2026-11-29T12:00:01Z",
      "  0002-index.sql       running  began with 1.1.0-2, 2026-11-29T13:00:00Z: check how far it got, then `bluegreen migrations resolve 0002-index.sql --as applied` or `--as pending`",
      "  0003-more.sql        pending  the next migration runs it",
      "  0004-contract-x.sql  waiting  until no release needs what it removes",
      "  0005-later.sql       applied",
    ]);
  });

  it("from the project's folder, with the step's own folder", async () => {
    const line = `JSON.stringify({ ...${JSON.stringify({ ...STATUS, scripts: [] })}, ahead: [process.cwd(), ...process.argv.slice(2)] })`;
    migratorThat(`console.log(${line})`);
    expect((await ask()).ahead).toEqual([
      folder,
      ...["status", "--folder", join(folder, ".bluegreen/local/servers/operations-1")],
    ]);
  });

  it("and says that nothing was migrated where no step brought a migrator", async () => {
    expect(words(await ask())).toBe("no migration ran here yet");
  });

  it.each([2, 3])("and passes on what the migrator refuses, with its exit code %d", async (exitCode) => {
    migratorThat(
      answers(JSON.stringify({ outcome: "refused", exitCode, reason: "no such database" }), exitCode),
    );
    expect(await refusal()).toMatchObject({
      message: "the database can't be read: no such database",
      exitCode,
    });
  });

  it("and takes silence for a failure, whatever the exit code", async () => {
    migratorThat("");
    expect(await refusal()).toMatchObject({ message: expect.stringMatching(/exit code 0/), exitCode: 1 });
  });

  it("and says what brings a newer migrator where the one there does not know the question", async () => {
    const reason = 'run, plan or resolve is wanted, not "status"; see --help';
    migratorThat(answers(JSON.stringify({ outcome: "refused", exitCode: 2, reason }), 2));
    expect((await refusal()).message).toMatch(/older version .* `bluegreen retry`, updates it/);
  });

  it("and sends no control character of a database to a terminal", async () => {
    const scripts = [{ ...STATUS.scripts[0], name: "1\u001b[2J.sql", release: "x\ny" }];
    migratorThat(answers(JSON.stringify({ ...STATUS, scripts, ahead: ["2\u001b]0;x\u0007.sql"] })));
    expect(words(await ask()).replaceAll("\n", "")).toMatch(/^\P{C}+$/u);
  });

  it("and refuses an environment without a database", async () => {
    await expect(ask(environmentOf())).rejects.toThrow(/local has no database \(platform\.database\)/);
  });
});

describe("on Azure it is what the last migrate step said", () => {
  const record: ReleaseRecord = recordOf({
    slots: {
      blue: releaseOf("1.0.0", 1),
      green: { ...releaseOf("2.0.0", 2), contracts: ["0003-contract-a.sql", "0006-contract-b.sql"] },
    },
    contracted: ["0003-contract-a.sql"],
  });
  const step = (
    output: string,
    exitCode: number | null,
    more: Partial<StateResource> = {},
  ): StateResource => ({
    address: "azurerm_virtual_machine_run_command.migrate-operations-1[0]",
    name: "migrate-2-0a1b2c3d",
    output,
    exitCode,
    deposed: false,
    ...more,
  });

  it("which scripts it applied, and which wait", () => {
    const line = {
      outcome: "migrated",
      applied: [
        { script: "0005-b.sql", seconds: 1 },
        { script: "0010-c.sql", seconds: 1 },
      ],
      waiting: ["0006-contract-b.sql"],
      ahead: [],
    };
    const output = `some words\n${JSON.stringify(line)}\nbluegreen-step migrate-2-0a1b2c3d exit 0\n`;
    const journal = readJournal(record, [
      step("", 0, { deposed: true, name: "migrate-1-00000000" }),
      step(output, 0),
    ]);
    expect(journal).toMatchObject({
      source: "lastStep",
      step: { name: "migrate-2-0a1b2c3d", sequence: 2, exitCode: 0, outcome: "migrated", reason: null },
    });
    expect(words(journal).split("\n")).toEqual([
      "from the migrate step of record 2: only the operations server reaches the database",
      "  migrated",
      "  0005-b.sql           applied",
      "  0006-contract-b.sql  waiting  until no release needs what it removes",
      "  0010-c.sql           applied",
    ]);
  });

  it("also where the deployment stands in a construct of the project", () => {
    const address = "azurerm_virtual_machine_run_command.release_migrate-operations-1_1A2B3C4D";
    const journal = readJournal(record, [step("", 0, { address })]);
    expect(journal.step).toMatchObject({ name: "migrate-2-0a1b2c3d", sequence: 2 });
  });

  it("why it refused, and the script that did not come to its end", () => {
    const reason = "0005-b.sql began at 2026-11-29T12:00:00Z with 2.0.0-2 and was interrupted";
    const line = JSON.stringify({ outcome: "refused", exitCode: 3, reason, running: "0005-b.sql" });
    expect(
      words(readJournal(record, [step(line, 3)]))
        .split("\n")
        .slice(1, 3),
    ).toEqual([
      `  refused: ${reason}`,
      "  0005-b.sql           running  check how far it got, then `bluegreen migrations resolve 0005-b.sql --as applied` or `--as pending`",
    ]);
  });

  it("and where it said nothing, that is not known: no data is no success", () => {
    expect(readJournal(record, [step("", null)]).step).toMatchObject({ outcome: "unknown", exitCode: null });
  });

  it("and where none ran, only what the record says", () => {
    expect(words(readJournal(record, []))).toBe(
      "no migrate step ran here yet\n  0006-contract-b.sql  waiting  until no release needs what it removes",
    );
  });
});
