/** What can be known of the Windows scripts without Windows; and that each of these checks can fail. */
import * as checks from "./checks";
import { loadGrammar, parse, SOURCES, type Script } from "./script";

beforeAll(loadGrammar);

const INSTALL = SOURCES["install-release.ps1"];
const SETUP = SOURCES["setup-iis.ps1"];

/** The smaller script with something in it that must be found, in a function with a parameter $Folder. */
function withFlaw(statement: string): Script {
  const place = "function New-ServerFolder([string] $Folder) {\n";
  expect(SETUP).toContain(place);
  return parse(SETUP.replace(place, () => `${place}  ${statement}\n`));
}

function withChange(from: string, to: string): Script {
  expect(INSTALL).toContain(from);
  return parse(INSTALL.replace(from, () => to));
}

const PROMISES: readonly (readonly [string, (script: Script) => string[], readonly (() => Script)[]])[] = [
  [
    "is ASCII and small",
    checks.isShippable,
    [
      () => withFlaw("# caf\u00e9"),
      () => withFlaw("# a\ttab"),
      () => withFlaw(`# ${"x".repeat(65536)}`),
      () => parse(INSTALL.replaceAll("\n", "\r\n")),
    ],
  ],
  [
    "puts no variable into a text by interpolation",
    checks.interpolatesNothing,
    [() => withFlaw('$a = "//add[@name=$Folder]"'), () => withFlaw('$a = @"\n$Folder\n"@')],
  ],
  [
    "edits XML by methods, with constant XPath",
    checks.editsXmlByMethods,
    [
      () => withChange("SelectSingleNode('entityFramework')", "SelectSingleNode($Folder)"),
      () => withChange("SelectSingleNode('entityFramework')", "SelectSingleNode('//' + $Folder)"),
      () => withChange("SelectSingleNode('entityFramework')", 'SelectSingleNode("//$Folder")'),
      () => withFlaw("$Folder.InnerXml = 'a'"),
    ],
  ],
  [
    "reads only variables that are assigned",
    checks.readsOnlyWhatIsAssigned,
    [
      () => withFlaw("$a = $Foldr"),
      () => withFlaw("$a = $password"), // a local variable of another function
      () => withFlaw("$a = $passwordlength"), // the right name in another spelling
      () => withChange("$script:HealthPath =", "$HealthPath ="), // forgotten $script:
    ],
  ],
  ["assigns only what is read", checks.assignsOnlyWhatIsRead, [() => withFlaw("$unread = $Folder")]],
  [
    "hides no variable of the script or of PowerShell",
    checks.shadowsNothing,
    [
      () => withFlaw("$features = 1"),
      () => withFlaw("foreach ($clock in 'a') { }"),
      () => withFlaw("$host = 1"),
    ],
  ],
  [
    "calls every function it defines, and defines it once",
    checks.callsWhatItDefines,
    [
      () => parse(`${SETUP}\nfunction Get-Unused {\n  return 1\n}\n`),
      () => parse(`${SETUP}\nfunction Stop-Step([string] $Path) {\n  return 1\n}\n`),
    ],
  ],
  [
    "calls its functions with all their arguments",
    checks.callsWithAllArguments,
    [
      () => withFlaw("$a = Get-FailureText"),
      () => withFlaw("Deny-Value $Folder, $Folder"),
      () => withFlaw("Stop-Step(1, $Folder)"),
      () => withFlaw("$a = Get-ExitCode -Failure $Folder"),
    ],
  ],
  [
    "returns nothing by accident",
    checks.returnsNothingByAccident,
    [
      () => withFlaw("$seen.Add($Folder)"),
      () => withFlaw("Get-ExitCode $Folder"),
      () => withFlaw("'done'"),
      () => withFlaw("$Folder"),
      () => withFlaw("[IO.Directory]::CreateDirectory($Folder)"),
    ],
  ],
  [
    "ends in one place",
    checks.endsInOnePlace,
    [() => withFlaw("exit 1"), () => withFlaw("Write-Output 'x'"), () => withFlaw("if ($Folder) { exit 1 }")],
  ],
  [
    "uses the exit codes of install-release.sh",
    checks.usesExitCodes([1, 2, 3, 4]),
    [
      () => withFlaw("Stop-Step 6 'x'"),
      () => withFlaw("Stop-Step 0 'x'"),
      () => withFlaw("Stop-Step $Folder 'x'"),
      () => withFlaw("exit 7"),
    ],
  ],
  [
    "tells no secret",
    checks.tellsNoSecret,
    [
      () => withFlaw("$a = Get-Secret $Folder\n  Stop-Step 1 ('no {0}' -f $a)"),
      () => withFlaw("$a = Get-Token 'x'\n  $script:Reason = $a"),
      () => withChange("Stop-Step 4 ('{0}: {1}' -f $Problem", "Stop-Step 4 ($Json + '{0}: {1}' -f $Problem"),
      () => withChange("retry later' -f $problem", "retry later' -f $answer.Text"),
    ],
  ],
  [
    "sends the storage token to ARTIFACT_HOST only and follows no redirect with it",
    checks.keepsTokensHome,
    [
      () => withFlaw("$a = Get-Token 'https://storage.azure.com/'"),
      () => withChange("if ($ArtifactHost -ne '' -and $address", "if ($address"),
      () => withChange("$request.AllowAutoRedirect = $false\n", "\n"),
    ],
  ],
  [
    "gives back what it takes",
    checks.givesBackWhatItTakes,
    [
      () => withFlaw("$manager = [Microsoft.Web.Administration.ServerManager]::new()"),
      () => withChange("    $response.Dispose()\n", "    $null\n"),
    ],
  ],
  [
    "begins strictly, and ends with the line that says so",
    checks.beginsStrictly,
    [
      () => withChange("Set-StrictMode -Version 2.0\n", ""),
      () => withChange("$ErrorActionPreference = 'Stop'\n", ""),
      () => parse(INSTALL.replace(/\nexit 0\n$/, "\n")),
    ],
  ],
];

describe.each(Object.entries(SOURCES))("%s", (_name, source) => {
  let script: Script;
  beforeAll(() => void (script = parse(source)));

  test.each(PROMISES)("%s", (_promise, check) => {
    expect(check(script)).toEqual([]);
  });
});

test.each(PROMISES)("a script that does not is found: %s", (_promise, check, flaws) => {
  expect(flaws.map((flawed) => check(flawed())).filter((complaints) => complaints.length === 0)).toEqual([]);
});
