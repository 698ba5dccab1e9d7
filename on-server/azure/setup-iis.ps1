#ps1
# Prepares a new Windows server for install-release.ps1: IIS without its default site, an empty SERVER_FOLDER, and a
# random password for the administrator, which is not kept. A managed run command of the base stack runs it once, as
# SYSTEM. Running it again changes only that password.
#
# In the flow:  base stack: server -> THIS SCRIPT ... web stack: record -> synth -> install-release.ps1 -> switch
#
# Parameters: base64 of a JSON object of strings: SERVER_FOLDER, ADMINISTRATOR_NAME.
# Exit codes: 0 done; 1 unexpected, or a restart is needed; 2 bad input.
# The last lines on stdout: the result as JSON, then "bluegreen: <step> ended with 0"; or "setup: <failure>".

param([string] $StepName, [string] $Parameters)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# ASP.NET 4 with warm-up; Web-Scripting-Tools has Microsoft.Web.Administration. The names are those of Server 2019-2025.
$Features = @(
  'Web-Server', 'Web-Default-Doc', 'Web-Static-Content', 'Web-Http-Errors', 'Web-Http-Logging', 'Web-Stat-Compression',
  'Web-Filtering', 'Web-Net-Ext45', 'Web-Asp-Net45', 'Web-ISAPI-Ext', 'Web-ISAPI-Filter', 'Web-AppInit',
  'Web-Scripting-Tools', 'NET-Framework-45-ASPNET'
)
$PasswordLength = 64
$PasswordLetters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_' # 64: one for each value of 6 bits

#include "../install/windows/step.ps1"

# -------------------------------------------------------------------------------------------------------- main course

$Given = @{}
$Phase = 'starting'
$Clock = [Diagnostics.Stopwatch]::StartNew()

function Initialize-Iis {
  $script:Phase = 'reading the parameters'
  Read-Given
  $pattern = '^[A-Za-z]:(\\[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*)+$'
  $folder = Read-Parameter 'SERVER_FOLDER' '' 80 $pattern 'an absolute folder like C:\bluegreen'
  $pattern = '^[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*$'
  $administrator = Read-Parameter 'ADMINISTRATOR_NAME' '' 20 $pattern 'the name of a local account'

  Set-UnknownPassword $administrator
  Install-Features
  New-ServerFolder $folder
}

# The server's first password is in Terraform's state, so it is replaced. To log on, set a new one in Azure ("reset
# password").
function Set-UnknownPassword([string] $Administrator) {
  $script:Phase = 'setting a password'
  $bytes = [byte[]]::new($PasswordLength)
  $source = [Security.Cryptography.RandomNumberGenerator]::Create()
  try {
    $source.GetBytes($bytes)
  } finally {
    $source.Dispose()
  }
  $password = [Security.SecureString]::new()
  foreach ($byte in $bytes) { $password.AppendChar($PasswordLetters[$byte -band 63]) }
  foreach ($kind in 'A', 'a', '1', '-') { $password.AppendChar([char] $kind) } # Windows requires each kind
  if ($null -eq (Get-LocalUser -Name $Administrator -ErrorAction SilentlyContinue)) {
    Stop-Step 2 ('there is no local account {0}: ADMINISTRATOR_NAME must be the one the server was created with' -f
      $Administrator)
  }
  Set-LocalUser -Name $Administrator -Password $password
}

function Install-Features {
  $script:Phase = 'installing IIS'
  $result = Install-WindowsFeature -Name $Features
  if (-not $result.Success) { Stop-Step 1 ('IIS cannot be installed (exit code {0})' -f $result.ExitCode) }
  Remove-DefaultSite # at once: it must not be open until the server has restarted
  if ([string] $result.RestartNeeded -eq 'Yes') {
    $script:Phase = 'installing IIS'
    Stop-Step 1 ('IIS is installed, but Windows must restart first: {0} {1}, {2}' -f
      'restart this server, delete its run command', $StepName, 'so that Azure runs it again, then apply again')
  }
  $script:Phase = 'starting IIS'
  foreach ($service in 'WAS', 'W3SVC') {
    Invoke-Patiently {
      Set-Service -Name $service -StartupType Automatic
      Start-Service -Name $service
    }
  }
}

# The firewall rules that open ports 80 and 443 to all, and the default site of IIS.
function Remove-DefaultSite {
  $script:Phase = 'removing the default site'
  Invoke-Patiently {
    Get-NetFirewallRule -Name 'IIS-WebServerRole-*' -ErrorAction SilentlyContinue | Disable-NetFirewallRule
  }
  Add-Type -Path ([IO.Path]::Combine([Environment]::SystemDirectory, 'inetsrv\Microsoft.Web.Administration.dll'))
  Invoke-Patiently {
    $manager = [Microsoft.Web.Administration.ServerManager]::new()
    try {
      $site = $manager.Sites['Default Web Site']
      if ($null -ne $site) {
        $manager.Sites.Remove($site)
        $manager.CommitChanges()
      }
    } finally {
      $manager.Dispose()
    }
  }
}

# For SYSTEM and the administrators only. install-release.ps1 adds access for its pools; a second run keeps it.
function New-ServerFolder([string] $Folder) {
  $script:Phase = 'creating the folder'
  [void] [IO.Directory]::CreateDirectory($Folder)
  if ([IO.Directory]::GetAccessControl($Folder).AreAccessRulesProtected) { return }
  $security = [Security.AccessControl.DirectorySecurity]::new()
  $rules = 'D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)'
  $security.SetSecurityDescriptorSddlForm($rules, [Security.AccessControl.AccessControlSections]::Access)
  [IO.Directory]::SetAccessControl($Folder, $security)
}

# ------------------------------------------------------------------------------------------------- the step as a whole

try {
  [void] (Initialize-Iis)
} catch {
  Write-Output ('setup: ' + (Get-FailureText $_))
  exit (Get-ExitCode $_)
}
$seconds = $Clock.Elapsed.TotalSeconds.ToString('0.000', [Globalization.CultureInfo]::InvariantCulture)
Write-Output ('{{"step":"setup-iis","outcome":"ready","seconds":{0}}}' -f $seconds)
Write-Output ('bluegreen: {0} ended with 0' -f $StepName)
exit 0
