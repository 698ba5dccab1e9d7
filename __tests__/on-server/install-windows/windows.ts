/** What Windows PowerShell 5.1 on Windows Server knows, as far as the scripts use it: an allow-list, grown by hand. */

/** Cmdlets with those of their parameters that the scripts may name. */
export const CMDLETS: Readonly<Record<string, readonly string[]>> = {
  "Add-Type": ["Path", "AssemblyName"],
  "ConvertFrom-Json": ["InputObject"],
  "Copy-Item": ["Destination", "Recurse", "Force"],
  "Disable-NetFirewallRule": [],
  "ForEach-Object": [],
  "Get-ChildItem": ["LiteralPath", "Force"],
  "Get-LocalUser": ["Name", "ErrorAction"],
  "Get-NetFirewallRule": ["Name", "ErrorAction"],
  "Get-NetTCPConnection": ["State", "LocalPort", "ErrorAction"],
  "Get-Random": ["Minimum", "Maximum"],
  "Install-WindowsFeature": ["Name"],
  "Invoke-WebRequest": ["Uri", "UseBasicParsing", "OutFile"],
  "New-NetFirewallRule": ["DisplayName"],
  "Remove-Item": ["Path", "LiteralPath", "Recurse", "Force", "ErrorAction"],
  "Remove-NetFirewallRule": ["Name", "ErrorAction"],
  "Select-Object": ["Skip"],
  "Set-LocalUser": ["Name", "Password"],
  "Set-NetFirewallRule": [],
  "Set-Service": ["Name", "StartupType"],
  "Set-StrictMode": ["Version"],
  "Sort-Object": ["Descending", "Property"],
  "Start-Service": ["Name"],
  "Start-Sleep": ["Seconds", "Milliseconds"],
  "Where-Object": [],
  "Write-Output": [],
};

/** Cmdlets that put nothing into the pipeline. */
export const SILENT: ReadonlySet<string> = new Set(
  (
    "Add-Type Copy-Item Disable-NetFirewallRule Remove-Item Remove-NetFirewallRule Set-LocalUser Set-NetFirewallRule " +
    "Set-Service Start-Service Start-Sleep"
  ).split(" "),
);

/** Types, and of those whose static members are used, the members. */
export const TYPES: Readonly<Record<string, readonly string[]>> = {
  array: [],
  bool: [],
  "byte[]": ["new"],
  char: [],
  decimal: [],
  double: ["Parse"],
  hashtable: [],
  int: [],
  long: [],
  regex: ["Escape", "Match"],
  string: [],
  "string[]": [],
  type: [],
  void: [],
  BitConverter: ["ToString", "ToUInt32"],
  "Collections.Generic.HashSet[string]": ["new"],
  Convert: ["FromBase64String"],
  DateTime: ["UtcNow"],
  "Diagnostics.Stopwatch": ["StartNew"],
  Environment: ["Is64BitProcess", "SystemDirectory"],
  "Globalization.CultureInfo": ["InvariantCulture"],
  InvalidOperationException: ["new"],
  Guid: ["NewGuid"],
  "IO.Compression.ZipFile": ["Open"],
  "IO.Compression.ZipFileExtensions": ["ExtractToDirectory"],
  "IO.Directory": [
    "CreateDirectory",
    "Delete",
    "Exists",
    "GetAccessControl",
    "GetFileSystemEntries",
    "Move",
    "SetAccessControl",
  ],
  "IO.DirectoryInfo": ["new"],
  "IO.DriveInfo": ["new"],
  "IO.File": ["Create", "Delete", "Exists", "Move", "OpenRead", "ReadAllText", "Replace"],
  "IO.FileAccess": ["Write"],
  "IO.FileMode": ["Create"],
  "IO.FileStream": ["new"],
  "IO.MemoryStream": ["new"],
  "IO.Path": ["Combine", "GetDirectoryName", "GetFileName"],
  "IO.SearchOption": ["AllDirectories"],
  "IO.Stream": [],
  "IO.StreamWriter": ["new"],
  "Management.Automation.PSCustomObject": [],
  Math: ["Max", "Min"],
  "Microsoft.Web.Administration.ServerManager": ["new"],
  "Net.SecurityProtocolType": ["Tls12"],
  "Net.ServicePointManager": ["SecurityProtocol"],
  "Net.WebException": [],
  "Net.WebRequest": ["Create"],
  NullString: ["Value"],
  "Security.AccessControl.AccessControlSections": ["Access"],
  "Security.AccessControl.DirectorySecurity": ["new"],
  "Security.Cryptography.RandomNumberGenerator": ["Create"],
  "Security.Cryptography.SHA1": ["Create"],
  "Security.Cryptography.SHA256": ["Create"],
  "Security.SecureString": ["new"],
  StringComparer: ["OrdinalIgnoreCase"],
  StringComparison: ["OrdinalIgnoreCase"],
  "Text.Encoding": ["UTF8", "Unicode"],
  "Text.UTF8Encoding": ["new"],
  "Threading.AbandonedMutexException": [],
  "Threading.Mutex": ["new"],
  TimeoutException: ["new"],
  TimeSpan: ["FromSeconds", "Zero"],
  Uri: ["EscapeDataString", "new"],
  "Xml.XmlDocument": ["new"],
  "Xml.XmlElement": [],
};

/** Methods that return nothing: only these may be a statement without [void], or their value is what a function returns. */
export const VOID_METHODS: ReadonlySet<string> = new Set([
  "AppendChar",
  "Clear",
  "CommitChanges",
  "Delete", // of a file or a folder
  "Dispose",
  "ExtractToDirectory",
  "Flush",
  "GetBytes", // of a random number generator
  "Load",
  "Move",
  "ReleaseMutex",
  "Remove", // of a collection of IIS
  "RemoveAttribute",
  "Replace", // of a file
  "Save",
  "SetAccessControl",
  "SetAccessRuleProtection",
  "SetAttribute", // with two arguments
  "SetAttributeValue",
  "SetSecurityDescriptorSddlForm",
  "Start", // of a stopwatch
  "Write", // to a stream
]);

/** Set by PowerShell itself: reading is fine, assigning is not (some are read-only, the others surprise). */
export const AUTOMATIC: ReadonlySet<string> = new Set(
  (
    "_ args ConsoleFileName Error Event EventArgs ExecutionContext false ForEach Home Host Input IsCoreCLR LASTEXITCODE " +
    "Matches MyInvocation NestedPromptLevel null OFS PID Profile PSBoundParameters PSCmdlet PSCommandPath PSCulture " +
    "PSItem PSScriptRoot PSVersionTable PWD Sender ShellId StackTrace Switch This true"
  )
    .toLowerCase()
    .split(" "),
);

/** Preferences: assigned, and read by PowerShell. */
export const PREFERENCES: ReadonlySet<string> = new Set(["ErrorActionPreference", "ProgressPreference"]);

/** The keys of the parameters that a script reads: what whoever starts it must know. */
export const PARAMETERS = {
  "install-release.ps1": (
    "APPLICATION SERVER_NAME SERVER_FOLDER SLOT SEQUENCE RECORD_DIGEST RELEASE_ID VERSION ARTIFACT_URL_BASE64 " +
    "ARTIFACT_SHA256 ARTIFACT_HOST IDENTITY KEY_VAULT_HOST HOST PORT HEALTH_PATH HEALTH_STATUS HEALTH_HOST " +
    "RELEASE_HEADER HEALTH_SUCCESSES HEALTH_INTERVAL_SECONDS HEALTH_TIMEOUT_SECONDS DEADLINE_SECONDS STOP_SECONDS " +
    "KEEP_RELEASES MAX_ARTIFACT_FILES PROTECTED_RELEASES MODE ALLOWED_SOURCES IIS_SETTINGS_BASE64"
  ).split(" "),
  "setup-iis.ps1": ["SERVER_FOLDER", "ADMINISTRATOR_NAME"],
} as const;

/** The keys of IIS_SETTINGS_BASE64, of its objects too. */
export const IIS_SETTINGS: readonly string[] = (
  "requiredFiles connectionString name secret machineKeySecret disableInitializer allowDestructiveInitializer " +
  "sharedFolders appSettings warmUp path status contains"
).split(" ");
