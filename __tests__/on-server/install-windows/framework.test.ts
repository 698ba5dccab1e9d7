/** The Windows scripts, read by PowerShell's own parser: nothing in them is unknown to 5.1 or to .NET Framework 4.8. */
import { missingReferences, NameReader } from "../../../development/testbed/windows/names";
import { SOURCES } from "./script";
import { CMDLETS } from "./windows";

const INSTALL = SOURCES["install-release.ps1"];
const SETUP = SOURCES["setup-iis.ps1"];
const missing = missingReferences();
if (missing !== undefined) console.warn(`skipped, ${missing}: the names in the Windows scripts`);

(missing === undefined ? describe : describe.skip)("every name", () => {
  jest.setTimeout(120_000);
  let reader: NameReader;
  beforeAll(() => void (reader = new NameReader(CMDLETS)));
  afterAll(() => reader.close());

  test.each(Object.entries(SOURCES))("in %s is known", async (_name, source) => {
    expect(await reader.complaints(source)).toEqual([]);
  });

  /** The smaller script with a statement in it, in a function with a parameter $Folder. */
  function withFlaw(statement: string): string {
    const place = "function New-ServerFolder([string] $Folder) {\n";
    expect(SETUP).toContain(place);
    return SETUP.replace(place, () => `${place}  ${statement}\n`);
  }

  test.each([
    ["if ($Folder) {", "Missing closing"],
    ["$a = 'open", "terminator"],
    ["$a = $Folder ? 1 : 2", "5.1 does not know ?"],
    ["$a = $Folder ?? 1", "5.1 does not know ??"],
    ["$a = ${Folder}?.Length", "5.1 does not know ?."],
    ["Write-Output 1 && Write-Output 2", "5.1 does not know &&"],
    ["Write-Output 1 || Write-Output 2", "5.1 does not know ||"],
    ["Write-Output 1 &", "5.1 does not know &"],
    ["$a = [IO.Fil]::Exists($Folder)", "has no [IO.Fil]"],
    ["$a = [semver] '1.0.0'", "has no [semver]"],
    ["$a = [IO.File]::Exist($Folder)", "[IO.File] has no Exist"],
    ["$a = [IO.Path]::GetRelativePath($Folder, $Folder)", "[IO.Path] has no GetRelativePath"],
    ["$a = [Convert]::ToHexString($Folder)", "[Convert] has no ToHexString"],
    ["$a = $Folder.EnumerateRunes()", "no type of .NET Framework 4.8 has a member EnumerateRunes"],
    ["Get-Nonsense $Folder", "5.1 has no Get-Nonsense"],
    ["Invoke-Expression $Folder", "5.1 has no Invoke-Expression that the list knows"],
    ["icacls.exe $Folder", "5.1 has no icacls.exe"],
    ["Start-Sleep -Duration 1", "Start-Sleep has no -Duration"],
    ["1 | ForEach-Object -Parallel { 1 }", "ForEach-Object has no -Parallel"],
  ])("that is not is found: %s", async (statement, complaint) => {
    expect(await reader.complaints(withFlaw(statement))).toEqual(
      expect.arrayContaining([expect.stringContaining(complaint)]),
    );
  });

  test("in another script's words is found, too", async () => {
    const changed = INSTALL.replace(
      "[IO.Compression.ZipFile]::Open(",
      "[IO.Compression.ZipFile]::OpenAsync(",
    );
    expect(await reader.complaints(changed)).toEqual([expect.stringContaining("has no OpenAsync")]);
  });
});
