/** What the Windows installer promises beyond its syntax, as far as its text can show it. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commands, literal, loadGrammar, named, parse, SOURCES, walk, type Script } from "./script";

let script: Script;

beforeAll(async () => {
  await loadGrammar();
  script = parse(SOURCES["install-release.ps1"]);
});

const body = (name: string) => script.functions.find((one) => one.name === name)!.nodes[0]!.text;

/** The first piece that does not follow the ones before it. */
function outOfOrder(text: string, pieces: readonly string[]): string | undefined {
  let at = 0;
  return pieces.find((piece) => {
    const found = text.indexOf(piece, at);
    at = found + piece.length;
    return found < 0;
  });
}

/** What must happen in this order. That each of these can fail is a test of its own. */
const ORDERS: readonly (readonly [string, string, readonly string[]])[] = [
  [
    "what is in an archive is looked at before a byte is unpacked, and the sum afterwards",
    "Expand-Artifact",
    ["ZipFile]::Open(", "Confirm-Entries $archive", "ExtractToDirectory", "$actual -ne $expected"],
  ],
  [
    "an archive is refused by its listing",
    "Confirm-Entries",
    [
      "OrdinalIgnoreCase",
      "$MaxEntries",
      "Get-EntryFlaw $plain",
      "$seen.Add($plain)",
      "$total -gt $MaxBytes",
      "$seen.Contains($path)",
    ],
  ],
  [
    "the record is fenced before anything is fetched or touched",
    "Install-Release",
    [
      "Read-Parameters",
      "Initialize-Server",
      "Confirm-Sequence",
      "Clear-Slot",
      "Get-Release",
      "Test-AlreadyHealthy",
      "Update-Slot",
      "Get-HealthyFile $Slot",
      "Remove-OldReleases",
    ],
  ],
  [
    "an older record and an altered one are refused before the file is written",
    "Confirm-Sequence",
    ["$Sequence -lt $known", "Stop-Step 3", "$RecordDigest -cne $digest", "Write-Whole $file"],
  ],
  [
    "a release gets its name only when it is complete",
    "Get-Release",
    [
      "$known -ceq $marker",
      "$script:Partial = $file",
      "Save-Artifact $file",
      "$actual -cne $ArtifactSha256",
      "Protect-Folder $Staging",
      "Expand-Artifact $file $Staging",
      "Edit-WebConfig $Staging",
      "'_release.txt'",
      "[IO.Directory]::Move($Staging, $folder)",
    ],
  ],
  [
    "a download that is too large is refused by its header before a byte is kept, and ended by its bytes",
    "Save-Answer",
    [
      "Get-Room",
      "$response.ContentLength -gt $room",
      "[IO.File]::Create($File)",
      "Copy-Stream ($response.GetResponseStream()) $target $room",
      "$count -gt $room",
      "$response.ContentLength -ne $count",
    ],
  ],
  [
    "a Web.config that lets a start drop the database is refused before it is written",
    "Edit-WebConfig",
    ["disableDatabaseInitialization", "Confirm-InitializerOff $root $Folder", "$document.Save($writer)"],
  ],
  [
    "Entity Framework without a word about its initializer is refused",
    "Confirm-InitializerOff",
    ["EntityFramework.dll", "disableDatabaseInitialization", "-not $AllowInitializer"],
  ],
  [
    "everything is prepared before the old release is stopped",
    "Update-Slot",
    [
      "Get-Previous",
      "Confirm-PortFree",
      "Initialize-SharedFolders",
      "$script:Touched = $true",
      "Stop-Slot",
      "Set-Slot $ReleaseId $true",
      "Start-Slot",
      "Wait-Warm",
      "Wait-Healthy",
      "Stop-Step 4",
    ],
  ],
  [
    "a failure puts the slot back, and only inPlace starts it",
    "Undo-Install",
    [
      "Remove-Item -LiteralPath $Partial",
      "if ($Touched)",
      "Stop-Slot",
      "Set-Slot $Previous ($Mode -ceq 'inPlace')",
      "Start-Slot",
      "Wait-Healthy $Previous",
      "$script:Restored = $true",
    ],
  ],
  [
    "the slot changes in one commit, tried five times",
    "Set-Slot",
    ["Set-SlotPool", "Set-SlotSite", "CommitChanges", "$attempt -ge 5", "Start-Sleep", "Dispose"],
  ],
  [
    "the account of a pool is computed as Windows does",
    "Get-PoolSid",
    ["Unicode.GetBytes($Pool.ToLowerInvariant())", "SHA1", "0, 4, 8, 12, 16", "ToUInt32", "S-1-5-82-"],
  ],
];

test.each(ORDERS)("%s (%s)", (_promise, name, pieces) => {
  expect(outOfOrder(body(name), pieces)).toBeUndefined();
});

test.each(ORDERS)("would be missed: %s (%s)", (_promise, name, pieces) => {
  const text = body(name);
  for (const piece of pieces) expect(outOfOrder(text.replaceAll(piece, ""), pieces)).toBeDefined();
  expect(outOfOrder(text, pieces.toReversed())).toBeDefined();
});

test("both scripts read parameters and report failures by the same text", () => {
  const shared = readFileSync(join(__dirname, "../../../on-server/install/windows/step.ps1"), "latin1");
  expect(shared).toContain("function Stop-Step");
  expect(shared).toContain("function Read-Parameter");
  for (const source of Object.values(SOURCES)) expect(source.split(shared)).toHaveLength(2);
});

describe("the names in an archive", () => {
  /** The script's own rules, in their order, case-insensitive as -match is. */
  function flawOf(name: string): string {
    const table = walk(script.outside.nodes[0]!).find(
      ({ type, text }) => type === "assignment_expression" && text.startsWith("$EntryFlaws"),
    )!;
    const texts = walk(table).flatMap((node) => (node.type === "string_literal" ? [literal(node)!] : []));
    const rules = texts.flatMap((text, index) =>
      index % 2 === 0 ? [{ pattern: text, why: texts[index + 1]! }] : [],
    );
    expect(rules).toHaveLength(6);
    return rules.find(({ pattern }) => new RegExp(pattern, "i").test(name))?.why ?? "";
  }

  test.each([
    ["/etc/passwd", "absolute"],
    ["C:/evil", "Windows does not allow"],
    ["a/file.txt:stream", "Windows does not allow"],
    ["../evil", "leaves the folder"],
    ["a/../../evil", "leaves the folder"],
    ["a/..", "leaves the folder"],
    ["a\nb", "Windows does not allow"],
    ["a\u0000b", "Windows does not allow"],
    ["a?b", "Windows does not allow"],
    ["", "empty part"],
    ["a//b", "empty part"],
    ["./a", "empty part"],
    ["a /b", "dot or a blank"],
    ["a./b", "dot or a blank"],
    ["Web.config.", "dot or a blank"],
    ["CON", "device"],
    ["a/nul.txt", "device"],
    ["Lpt1", "device"],
    ["com9.tar.gz/x", "device"],
    ["aux .txt", "device"],
  ])("%j is refused", (name, because) => {
    expect(flawOf(name)).toContain(because);
  });

  test.each([
    "Web.config",
    "bin/SocialGoal.dll",
    "Views/_ViewStart.cshtml",
    "Content/ProfilePics/default.png",
    "a folder/\u00fcn\u00ef.txt",
    "console.js",
    "null.txt",
    "com.js",
    "common/com10.js",
    ".well-known/x",
    "..a/b..c",
  ])("%j is accepted", (name) => {
    expect(flawOf(name)).toBe("");
  });
});

test("there is one place that commits a change of IIS", () => {
  const commits = script.nodes.filter(({ type, text }) => type === "member_name" && text === "CommitChanges");
  expect(commits).toHaveLength(1);
});

test("every failure says in one line what it is, and has an exit code", () => {
  const said = commands(script.nodes).filter(({ name }) => name === "Stop-Step");
  expect(said.length).toBeGreaterThan(40);
  const codes = new Set(said.map(({ values }) => values[0]!.text));
  expect([...codes].toSorted()).toEqual(["1", "2", "3", "4"]);
  expect(script.source).toContain("return $text -replace '[^ -~]', '?'\n");
});

/** A "{2}" without a third value throws, at the moment when something is to be said. */
function wrongFormats({ nodes }: Script): string[] {
  const formats = nodes.filter(
    ({ type }) => type === "format_expression" || type === "format_argument_expression",
  );
  return formats.flatMap((node) => {
    const [format, operator, values] = named(node);
    if (operator?.type !== "format_operator") return [];
    const names = [...format!.text.replaceAll(/\{\{|\}\}/g, "").matchAll(/\{(\d)\}/g)].map(([, digit]) =>
      Number(digit),
    );
    const given = arrayOf(node, values!);
    return names.length > 0 && Math.max(...names) + 1 === given ? [] : [`${node.text} (${given})`];
  });
}

test.each(Object.entries(SOURCES))("every format of %s has as many values as it names", (_name, source) => {
  expect(wrongFormats(parse(source))).toEqual([]);
  const lacking = source
    .replaceAll("-f $ServerFolder)", "-f )")
    .replaceAll("{0} ended with 0", "{1} ended with 0");
  expect(wrongFormats(parse(lacking))).not.toEqual([]);
});

/** `'...' -f $a, $b`: the comma binds tighter than -f. */
function arrayOf(format: Script["nodes"][number], values: Script["nodes"][number]): number {
  const arrays = walk(values).filter(({ type }) => type === "array_literal_expression");
  expect(format.text).toContain("-f");
  return arrays.length === 0 ? 1 : named(arrays[0]!).length;
}

test("the account of a pool is the one that Windows gives it", () => {
  const sidOf = (pool: string) => {
    const hash = createHash("sha1").update(Buffer.from(pool.toLowerCase(), "utf16le")).digest();
    return `S-1-5-82-${[0, 4, 8, 12, 16].map((start) => hash.readUInt32LE(start)).join("-")}`;
  };
  expect(sidOf("DefaultAppPool")).toBe("S-1-5-82-3006700770-424185619-1745488364-794895919-4004696415");
});

test("nothing but the health of the release itself counts: redirects are not followed, the id must stand there", () => {
  const pattern = /'(\(\^\|.*?)' \+ \[regex\]::Escape\(\$Release\) \+ '(.*?)'\n/.exec(body("Test-Health"))!;
  const names = (text: string) => new RegExp(`${pattern[1]}1\\.4\\.0-17${pattern[2]}`).test(text);
  expect(
    ["1.4.0-17", "1.4.0-17 0abc\n", '{"release":"1.4.0-17"}', "this is 1.4.0-17."].filter(
      (text) => !names(text),
    ),
  ).toEqual([]);
  expect(
    ["11.4.0-17", "1.4.0-170", "1.4.0-17-1", "1x4.0-17", "1.4.0-17.5", "v1.4.0-17"].filter(names),
  ).toEqual([]);
});
