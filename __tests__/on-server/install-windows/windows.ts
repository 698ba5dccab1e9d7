/** What Windows PowerShell 5.1 on Windows Server knows, as far as the scripts use it: an allow-list, grown by hand. */

/** Cmdlets with those of their parameters that the scripts may name. */
export const CMDLETS: Readonly<Record<string, readonly string[]>> = {
  "Add-Type": ["Path", "AssemblyName"],
  "ConvertFrom-Json": ["InputObject"],
  "Copy-Item": ["Destination", "Recurse", "Force"],
  "Disable-NetFirewallRule": [],
  "ForEach-Object": [],
  "Get-ChildItem": ["LiteralPath", "Filter", "Force"],
  "Get-LocalUser": ["Name", "ErrorAction"],
  "Get-NetFirewallRule": ["Name", "ErrorAction"],
  "Get-NetTCPConnection": ["State", "LocalPort", "ErrorAction"],
  "Get-Random": ["Minimum", "Maximum"],
  "Install-WindowsFeature": ["Name"],
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
  "Reset", // of a stopwatch, as the next two
  "Start",
  "Stop",
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
