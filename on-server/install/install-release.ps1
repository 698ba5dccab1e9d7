#ps1
# Installs one release of the web application into one slot (blue or green) of this server: a separate site and
# application pool of IIS. It starts the slot and waits until it is healthy. It never touches the other slot, nor
# traffic, which is the director's. The Windows version of install-release.sh; a managed run command runs it as SYSTEM.
#
# In the flow:  record -> synth -> Terraform step "install-<slot>-<server>" -> THIS SCRIPT on the server -> switch
#
# Promises: exit 0 means that the slot serves exactly RELEASE_ID (or is empty, if RELEASE_ID is). After any failure the
# slot points to its earlier release again; MODE=inPlace also starts that release. It can be killed at any point and run
# again. Parameters: base64 of a JSON object of strings, see Read-Parameters.
#
# Exit codes: 0 done; 1 unexpected; 2 bad input; 3 refused (older or altered record, lock held, port or release id
# taken); 4 candidate rejected, traffic untouched. (Windows has no signals, so no 5.)
# The last lines on stdout: the result as JSON, then "bluegreen: <step> ended with 0", or "install: <failure>".
#
# Below SERVER_FOLDER:  sequence ("<highest sequence seen> <record digest>")
#   releases\<id>\  the unpacked artifact with its settings; .release (id, sha256, digest of the settings) and
#                   _release.txt (id, sha256; served) are added here. A site of IIS points here: there is no link.
#   run\<slot>.healthy (the release that last became healthy there)   data\ (shared by all releases)   downloads\
#
# Settings and secrets are written once, while a release is unpacked: a new password needs a new release.

param([string] $StepName, [string] $Parameters)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12

$MaxBytes = [long] 2147483648
$FreeBytes = [long] 8388608 # stay free on the disk: for the sequence, logs, and what users upload
$MaxAnswerBytes = [long] 1048576
$Metadata = 'http://169.254.169.254'

# Names that Windows or the reader of a listing could misread. They use "/" and have no "/" at the end.
$EntryFlaws = @(
  @('[\x00-\x1f\x7f<>:"|?*]', 'a character that Windows does not allow in a name'),
  @('^/', 'an absolute name'),
  @('(^|/)\.\.(/|$)', 'a name that leaves the folder'),
  @('(^|/)\.?(/|$)', 'a name with an empty part'),
  @('[ .](/|$)', 'a name with a part that ends with a dot or a blank'),
  @('(^|/)(con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$) *(\.[^/]*)?(/|$)', 'the name of a device')
)

#include "windows/step.ps1"
#include "windows/parameters.ps1"

# ------------------------------------------------------------------------------------------------------- main course

$Phase = 'starting'
$Outcome = ''
$Reason = ''
$Detail = ''
$PublishedAt = [DateTime]::UtcNow
$Previous = ''
$Staging = ''
$Partial = ''
$Mutex = $null
$MutexHeld = $false
$Opened = $false
$Unpacked = $false
$Touched = $false
$Linked = $false
$Restored = $false
$Clock = [Diagnostics.Stopwatch]::StartNew()

function Install-Release {
  Read-Parameters
  Initialize-Server
  Confirm-Sequence
  if ($ReleaseId -eq '') {
    Clear-Slot
    $script:Outcome = 'emptied'
  } else {
    Get-Release
    if ((Get-SecondsLeft) -le 0) {
      Stop-Step 4 ('the release was not unpacked within {0} s, and nothing was stopped: retry' -f $PrepareSeconds)
    }
    Confirm-PortFree
    Open-Port
    if (Test-AlreadyHealthy) {
      $script:Outcome = 'already-installed'
    } else {
      Update-Slot
      $script:Outcome = 'installed'
    }
    Write-Whole (Get-HealthyFile $Slot) $ReleaseId
  }
  Remove-OldReleases
}

function Get-ResultLine([string] $Release, [string] $Result, [string] $More) {
  $seconds = $Clock.Elapsed.TotalSeconds.ToString('0.000', [Globalization.CultureInfo]::InvariantCulture)
  return '{{"step":"install","slot":"{0}","releaseId":"{1}","outcome":"{2}","seconds":{3}{4}}}' -f
    $Slot, $Release, $Result, $seconds, $More
}

# The tools, the folders and the lock.
function Initialize-Server {
  $script:Phase = 'preparing'
  if (-not [Environment]::Is64BitProcess) {
    Stop-Step 1 'this is a 32-bit PowerShell, which cannot see IIS: start the 64-bit one'
  }
  $library = [IO.Path]::Combine([Environment]::SystemDirectory, 'inetsrv\Microsoft.Web.Administration.dll')
  if (-not [IO.File]::Exists($library) -or -not [IO.Directory]::Exists($ServerFolder)) {
    Stop-Step 1 ('IIS or {0} is missing on this server: apply the base stack (setup-iis.ps1)' -f $ServerFolder)
  }
  Add-Type -Path $library
  Add-Type -AssemblyName System.IO.Compression
  Add-Type -AssemblyName System.IO.Compression.FileSystem

  $script:Mutex = [Threading.Mutex]::new($false, 'Global\bluegreen-' + $Application)
  $seconds = [int] [Math]::Ceiling($PrepareSeconds / 2) # the download needs the rest
  try {
    $script:MutexHeld = $Mutex.WaitOne(1000 * $seconds)
  } catch [Threading.AbandonedMutexException] {
    $script:MutexHeld = $true # the process that held it was killed; this run repairs what it left
  }
  if (-not $MutexHeld) {
    Stop-Step 3 ('another install still runs on this server after {0} s: wait for it, then retry' -f $seconds)
  }

  Remove-LeftOvers # first: they may fill the disk

  # ASP.NET watches the folders above its own, so the pools may list those folders, but read no files there.
  if (-not (Get-AccessText $ServerFolder).Contains((Get-PoolSid $SiteName))) {
    Protect-Folder $ServerFolder 'CI;0x1200a9'
  }
  foreach ($folder in 'releases', 'run', 'downloads', 'data') {
    [void] [IO.Directory]::CreateDirectory((Get-Below $folder))
  }
}

# The sequence only grows, and each sequence has one record: so a stale checkout cannot install anything.
function Confirm-Sequence {
  $script:Phase = 'comparing the sequence of the record'
  $file = Get-Below 'sequence'
  if ([IO.File]::Exists($file)) {
    $match = [regex]::Match([IO.File]::ReadAllText($file), '^([1-9][0-9]{0,14}) ([0-9a-f]{64})\s*$')
    if (-not $match.Success) {
      Stop-Step 1 ('{0} is unreadable: put "<sequence> <digest>" of the last applied record into it' -f $file)
    }
    $known = [long] $match.Groups[1].Value
    $digest = $match.Groups[2].Value
    if ($Sequence -lt $known) {
      Stop-Step 3 ('record {0} is older than {1}; use `bluegreen rollback`' -f $Sequence, $known)
    }
    if ($Sequence -eq $known) {
      if ($RecordDigest -cne $digest) {
        Stop-Step 3 ('record {0} is already known with other content ({1} before, {2} now): raise "sequence"' -f
          $Sequence, $digest.Substring(0, 12), $RecordDigest.Substring(0, 12))
      }
      return
    }
  }
  Write-Whole $file ('{0} {1}' -f $Sequence, $RecordDigest)
}

function Clear-Slot {
  $script:Phase = 'emptying the slot'
  Stop-Slot
  Set-Slot '' $false
  Invoke-Patiently { [IO.File]::Delete((Get-HealthyFile $Slot)) }
}

# Stops the slot, starts the release there and waits for it. From here on a failure is rolled back.
function Update-Slot {
  $script:Previous = Get-Previous
  Initialize-SharedFolders

  $script:Phase = 'stopping the old release'
  $script:Touched = $true
  Stop-Slot

  $script:Phase = 'starting ' + $ReleaseId
  $script:Linked = $true
  Set-Slot $ReleaseId $true
  Start-Slot

  $script:Phase = 'waiting for ' + $ReleaseId
  $watch = [Diagnostics.Stopwatch]::StartNew()
  $deadline = [long] (1000 * $DeadlineSeconds)
  if (-not (Wait-Warm $deadline) -or -not (Wait-Healthy $ReleaseId ($deadline - $watch.ElapsedMilliseconds))) {
    Stop-Step 4 ('{0} was not healthy within {1} s: {2}: correct it, then release again' -f
      $ReleaseId, $DeadlineSeconds, $Reason)
  }
}

# Restores the slot. If that fails, the message names it, and the exit code is 1.
function Undo-Install {
  $Refused.Reset() # the failure may have used it up
  if ($Staging -ne '') { Remove-Folder $Staging }
  if ($Partial -ne '') { Remove-Item -LiteralPath $Partial -Force -ErrorAction SilentlyContinue }
  if ($Touched) {
    Stop-Slot
    Set-Slot $Previous ($Mode -ceq 'inPlace')
    if ($Mode -ceq 'inPlace' -and $Previous -ne '') {
      Start-Slot
      if (-not (Wait-Healthy $Previous (1000 * $DeadlineSeconds))) { Stop-Step 1 $Reason }
      Write-Whole (Get-HealthyFile $Slot) $Previous
      $script:Restored = $true
    }
  }
  if ($Opened -and (Get-LinkedRelease $SiteName) -eq '') { Close-Port }
  if (($Unpacked -or $Linked) -and -not (Test-InUse $ReleaseId)) {
    Remove-Folder (Get-Below ('releases\' + $ReleaseId))
  }
}

# The release to roll back to: the last healthy one. (After a crash the site may point to a candidate.)
function Get-Previous {
  foreach ($id in (Get-LastHealthy $Slot), (Get-LinkedRelease $SiteName)) {
    if ($id -ne '' -and $id -cne $ReleaseId -and [IO.File]::Exists((Get-Below ('releases\' + $id + '\.release')))) {
      return $id
    }
  }
  return ''
}

#include "windows/release.ps1"
#include "windows/web-config.ps1"
#include "windows/requests.ps1"
#include "windows/slot.ps1"
#include "windows/health.ps1"
#include "windows/clean-up.ps1"
#include "windows/small-parts.ps1"

# ------------------------------------------------------------------------------------------------- the step as a whole

$ExitCode = 0
$FailureText = ''
try {
  [void] (Install-Release)
} catch {
  $ExitCode = Get-ExitCode $_
  $FailureText = Get-FailureText $_
  try {
    [void] (Undo-Install)
  } catch {
    $ExitCode = 1
    $FailureText += '; and slot {0} could not be restored ({1}): IT MAY SERVE NOTHING, check the server' -f
      $Slot, (Get-FailureText $_)
  }
} finally {
  if ($MutexHeld) { $Mutex.ReleaseMutex() }
}
if ($ExitCode -ne 0) {
  if ($Restored) {
    $FailureText += '; the old release {0} is running again and healthy' -f $Previous
  }
  $Reason = $FailureText.Substring(0, [Math]::Min(1500, $FailureText.Length)).Replace('\', '\\').Replace('"', '\"')
  $Reason = '"exitCode":{0},"reason":"{1}"' -f $ExitCode, $Reason
  if ($Restored) {
    Write-Output (Get-ResultLine $Previous 'restored' (',' + $Reason))
  } else { Write-Output ('{{"step":"install","outcome":"failed",{0}}}' -f $Reason) }
  Write-Output ('install: ' + $FailureText)
  exit $ExitCode
}
Write-Output (Get-ResultLine $ReleaseId $Outcome '')
Write-Output ('bluegreen: {0} ended with 0' -f $StepName)
exit 0
