#ps1
# Installs one release of the web application into one slot (blue or green) of this server: its own site and application
# pool of IIS. It starts the slot and waits until it is healthy. It never touches the other slot and knows nothing of
# traffic: that is the director's. The Windows twin of install-release.sh; run as SYSTEM by a managed run command.
#
# Where it stands:  record -> synth -> Terraform step "install-<slot>-<server>" -> THIS SCRIPT on the server -> switch
#
# Promises: exit 0 means that the slot serves exactly RELEASE_ID (or is empty, if RELEASE_ID is). After any failure the
# slot points to what it pointed to before; MODE=inPlace also starts the old release again. It can be killed anywhere
# and run again. Parameters: base64 of a JSON object of strings, see Read-Parameters.
#
# Exit codes: 0 done; 1 unexpected; 2 bad input; 3 refused (older or altered record, lock held, port or release id
# taken); 4 candidate rejected, traffic untouched. (5, stopped by a signal, is not known to Windows.)
# The last lines on stdout: one of JSON with the outcome and "bluegreen: <step> ended with 0"; or "install: <failure>".
#
# Below SERVER_FOLDER:  sequence ("<highest sequence seen> <record digest>")
#   releases\<id>\  the unpacked artifact with its settings; .release (id, sha256, digest of the settings) and
#                   _release.txt (id, sha256; served) are ours. A site of IIS points here: there is no link.
#   run\<slot>.healthy (the release that last became healthy there)   data\ (shared by all releases)   downloads\
#
# Settings and secrets are written once, while a release is unpacked: a new password needs a new release.

param([string] $StepName, [string] $Parameters)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12

$MaxEntries = 20000
$MaxBytes = [long] 2147483648
$MaxAnswerBytes = [long] 1048576
$PatienceSeconds = 300 # a role that was just assigned is refused for minutes
$FetchSeconds = 300
$MetadataAddress = 'http://169.254.169.254/metadata/identity/oauth2/token'

# What Windows, or whoever reads a listing, could take for something else. Names have "/" and no "/" at their end.
$EntryFlaws = @(
  @('[\x00-\x1f\x7f<>:"|?*]', 'a character that Windows does not allow in a name'),
  @('^/', 'an absolute name'),
  @('(^|/)\.\.(/|$)', 'a name that leaves the folder'),
  @('(^|/)\.?(/|$)', 'a name with an empty part'),
  @('[ .](/|$)', 'a name with a part that ends with a dot or a blank'),
  @('(^|/)(con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$) *(\.[^/]*)?(/|$)', 'the name of a device')
)

# ------------------------------------------------------------- parameters and failure (the same text in setup-iis.ps1)

# Ends the step with this exit code. It is a throw, so that everything is undone before anything is said.
function Stop-Step([int] $Code, [string] $Text) {
  $failure = [InvalidOperationException]::new($Text)
  $failure.Data['ExitCode'] = $Code
  throw $failure
}

function Get-ExitCode($Failure) {
  for ($cause = $Failure.Exception; $null -ne $cause; $cause = $cause.InnerException) {
    if ($cause.Data.Contains('ExitCode')) { return $cause.Data['ExitCode'] }
  }
  return 1
}

function Get-FailureText($Failure) {
  $text = $Failure.Exception.GetBaseException().Message
  if (-not $Failure.Exception.GetBaseException().Data.Contains('ExitCode')) {
    $text = 'unexpected failure while {0}, line {1}: {2}: look at the server, then retry' -f
      $Phase, $Failure.InvocationInfo.ScriptLineNumber, $text
  }
  return $text -replace '[^ -~]', '?'
}

# Fills $Given from $Parameters, which is base64 of a JSON object of strings: so nothing on the way needs quotes.
function Read-Given {
  if ($StepName -cnotmatch '^[0-9A-Za-z._-]{1,80}\z') {
    Stop-Step 2 'StepName must be 1 to 80 letters, digits, dots, _ and -'
  }
  $object = $null
  try {
    $bytes = [Convert]::FromBase64String($Parameters)
    $object = ConvertFrom-Json -InputObject ([Text.UTF8Encoding]::new($false, $true).GetString($bytes))
  } catch {
    Stop-Step 2 'Parameters is no base64 of JSON: give it a JSON object of strings'
  }
  if ($object -isnot [Management.Automation.PSCustomObject]) {
    Stop-Step 2 'Parameters is no JSON object: give it a JSON object of strings'
  }
  foreach ($property in $object.PSObject.Properties) {
    if ($property.Value -isnot [string]) {
      Stop-Step 2 'Parameters has a value that is no string: give it a JSON object of strings'
    }
    $Given[$property.Name] = $property.Value
  }
}

# The parameter (or its default, if it is empty) fits, or exit 2.
function Read-Parameter([string] $Name, [string] $Default, [int] $MaxLength, [string] $Pattern, [string] $What) {
  $value = $Given[$Name]
  if ($null -eq $value -or $value -eq '') { $value = $Default }
  return Confirm-Text $Name $value $MaxLength $Pattern $What
}

# A "$" of .NET also matches before a last line feed: so what is not printable is refused before any pattern.
function Confirm-Text([string] $Name, $Value, [int] $MaxLength, [string] $Pattern, [string] $What) {
  if ($Value -isnot [string] -or $Value.Length -gt $MaxLength -or $Value -cnotmatch '^[ -~]*\z' -or
    $Value -cnotmatch $Pattern) {
    Deny-Value $Name ([string] $Value) $What
  }
  return $Value
}

function Deny-Value([string] $Name, [string] $Value, [string] $What) {
  $shown = $Value.Substring(0, [Math]::Min(60, $Value.Length))
  Stop-Step 2 ('{0} is "{1}" but must be {2}: correct it in the environment or the record' -f $Name, $shown, $What)
}

# -------------------------------------------------------------------------------------------------------- parameters

$Given = @{}
$Relative = '^[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*(/[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*)*$'
$SecretName = '^[0-9A-Za-z-]{1,127}$'

function Read-Parameters {
  Read-Given
  $script:Application = Read-Parameter 'APPLICATION' '' 24 '^[a-z][a-z0-9-]*$' 'a-z, 0-9 and -'
  $name = '^[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?$'
  [void] (Read-Parameter 'SERVER_NAME' '' 64 $name 'letters, digits, . and -')
  $folder = '^[A-Za-z]:(\\[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*)+$'
  $script:ServerFolder = Read-Parameter 'SERVER_FOLDER' '' 80 $folder 'an absolute folder like C:\bluegreen'
  $script:Slot = Read-Parameter 'SLOT' '' 5 '^(blue|green)$' 'blue or green'
  $script:SiteName = $Application + '-' + $Slot
  $script:Sequence = [long] (Read-Parameter 'SEQUENCE' '' 15 '^[1-9][0-9]*$' 'a whole number from 1')
  $digest = '^[0-9a-f]{64}$'
  $script:RecordDigest = Read-Parameter 'RECORD_DIGEST' '' 64 $digest '64 lower-case hexadecimal digits'
  if (-not $Given.ContainsKey('RELEASE_ID')) {
    Stop-Step 2 'RELEASE_ID is missing: set it, to nothing if the slot shall be empty'
  }
  $release = '^([0-9A-Za-z][0-9A-Za-z.-]*-[0-9]+)?$'
  $script:ReleaseId = Read-Parameter 'RELEASE_ID' '' 57 $release '"<version>-<run>", or nothing for an empty slot'
  $script:Mode = Read-Parameter 'MODE' 'slot' 7 '^(slot|inPlace)$' 'slot or inPlace'
  $whole = '^[1-9][0-9]*$'
  $script:DeadlineSeconds = [int] (Read-Parameter 'DEADLINE_SECONDS' '60' 4 $whole 'whole seconds from 1 to 9999')
  $script:StopSeconds = [int] (Read-Parameter 'STOP_SECONDS' '30' 4 $whole 'whole seconds from 1 to 9999')
  $script:KeepReleases = [int] (Read-Parameter 'KEEP_RELEASES' '5' 3 $whole 'a number from 1 to 999')
  $protected = Read-Parameter 'PROTECTED_RELEASES' '' 2000 '^[0-9A-Za-z. -]*$' 'release ids with blanks between them'
  $script:ProtectedReleases = $protected -split ' +'
  if ($ReleaseId -ne '') {
    Read-ReleaseParameters
    Read-IisSettings
  }
}

function Read-ReleaseParameters {
  $name = '^[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?$'
  $version = Read-Parameter 'VERSION' '' 40 $name '1 to 40 of letters, digits, . and -'
  if (($ReleaseId + $version).Contains('..') -or $ReleaseId -cnotmatch ('^' + [regex]::Escape($version) + '-[0-9]+$')) {
    Stop-Step 2 ('RELEASE_ID {0} is not "<version>-<run>" of VERSION {1}' -f $ReleaseId, $version)
  }
  $flaw = Get-EntryFlaw $ReleaseId
  if ($flaw -ne '') {
    Stop-Step 2 ('RELEASE_ID {0} cannot be a folder of Windows, it is {1}: choose another version' -f $ReleaseId, $flaw)
  }
  $digest = '^[0-9a-f]{64}$'
  $script:ArtifactSha256 = Read-Parameter 'ARTIFACT_SHA256' '' 64 $digest '64 lower-case hexadecimal digits'
  $script:ArtifactUrl = Read-Decoded 'ARTIFACT_URL_BASE64'
  $address = '^https://[0-9A-Za-z.-]+(:[0-9]+)?([/?][\]!#-&(-;=?-Z\[_a-z~]*)?$'
  if ($ArtifactUrl.Length -gt 2000 -or $ArtifactUrl -cmatch '[^!-~]' -or $ArtifactUrl -cnotmatch $address) {
    Deny-Value 'ARTIFACT_URL_BASE64' ($ArtifactUrl -replace '//[^/]*@', '//' -replace '\?(.|\n)*', '') 'https://...'
  }
  $authority = '^([0-9A-Za-z][0-9A-Za-z.-]*(:[0-9]+)?)?$'
  $artifactAuthority = '^((\[::1\]|[0-9A-Za-z][0-9A-Za-z.-]*)(:[1-9][0-9]{0,4})?)?$'
  $script:ArtifactHost = Read-Parameter 'ARTIFACT_HOST' '' 260 $artifactAuthority 'a host name, or nothing'
  $resource = '^(/subscriptions/[0-9A-Za-z-]+/resource[Gg]roups/[0-9A-Za-z._()-]+/providers/' +
    'Microsoft\.ManagedIdentity/userAssignedIdentities/[0-9A-Za-z_-]+)?$'
  $script:Identity = Read-Parameter 'IDENTITY' '' 400 $resource 'the resource id of an identity, or nothing'
  $vault = '^([0-9A-Za-z-]+\.vault\.azure\.net)?$'
  $script:KeyVaultHost = Read-Parameter 'KEY_VAULT_HOST' '' 100 $vault '<name>.vault.azure.net, or nothing'
  $ipv4 = '^(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}$'
  $script:BindAddress = Read-Parameter 'HOST' '' 15 $ipv4 'an IPv4 address of this server, or 0.0.0.0 for all'
  $script:Port = [int] (Read-Parameter 'PORT' '' 5 '^[1-9][0-9]*$' 'a port from 1 to 65535')
  if ($Port -gt 65535) { Stop-Step 2 ('PORT {0} is above 65535' -f $Port) }
  $sources = '^(([0-9]{1,3}\.){3}[0-9]{1,3}(/([1-9]|[12][0-9]|3[0-2]))?(,(?=[0-9])|$))+$'
  $allowed = Read-Parameter 'ALLOWED_SOURCES' '' 2000 $sources 'IPv4 networks of the proxies with commas between them'
  $script:AllowedSources = [string[]] ($allowed -split ',')
  $script:HealthPath = Read-Parameter 'HEALTH_PATH' '/_release.txt' 2000 $RequestPath 'a path that starts with /'
  $script:HealthStatus = [int] (Read-Parameter 'HEALTH_STATUS' '200' 3 '^[1-5][0-9]{2}$' 'a status code')
  $script:HealthHost = Read-Parameter 'HEALTH_HOST' '' 260 $authority 'a host name'
  $header = '^([A-Za-z][A-Za-z0-9-]*)?$'
  $script:ReleaseHeader = Read-Parameter 'RELEASE_HEADER' '' 64 $header 'the name of a header, or nothing'
  $script:HealthSuccesses = [int] (Read-Parameter 'HEALTH_SUCCESSES' '3' 3 '^[1-9][0-9]*$' 'a number from 1 to 999')
  $script:IntervalMs = Read-Milliseconds 'HEALTH_INTERVAL_SECONDS' '1'
  $script:TimeoutMs = Read-Milliseconds 'HEALTH_TIMEOUT_SECONDS' '5'
  if ($TimeoutMs -le 0) { Stop-Step 2 'HEALTH_TIMEOUT_SECONDS must be more than 0' }
}

$RequestPath = '^/[\]!#-&(-;=?-Z\[_a-z~]*$'

function Read-Milliseconds([string] $Name, [string] $Default) {
  $seconds = Read-Parameter $Name $Default 8 '^[0-9]+(\.[0-9]{1,3})?$' 'seconds'
  return [long] (1000 * [double]::Parse($seconds, [Globalization.CultureInfo]::InvariantCulture))
}

function Read-Decoded([string] $Name) {
  $text = Read-Parameter $Name '' 40000 '^[0-9A-Za-z+/]+={0,2}$' 'base64'
  try {
    return [Text.UTF8Encoding]::new($false, $true).GetString([Convert]::FromBase64String($text))
  } catch {
    Stop-Step 2 ('{0} is no base64 of UTF-8' -f $Name)
  }
}

# What the release needs on IIS. Whatever is missing or null there is not wanted.
function Read-IisSettings {
  $text = Read-Decoded 'IIS_SETTINGS_BASE64'
  $script:SettingsDigest = Get-Sha256 ([IO.MemoryStream]::new([Text.Encoding]::UTF8.GetBytes($text)))
  $settings = $null
  try {
    $settings = ConvertFrom-Json -InputObject $text
  } catch {
    Stop-Step 2 'IIS_SETTINGS_BASE64 is no JSON: correct it in the environment'
  }
  $file = 'a relative path with / between letters, digits, ., _ and -'
  $script:RequiredFiles = Get-Setting $settings 'requiredFiles' ([array])
  foreach ($path in $RequiredFiles) { [void] (Confirm-Text 'requiredFiles' $path 200 $Relative $file) }
  $script:SharedFolders = Get-Setting $settings 'sharedFolders' ([array])
  foreach ($path in $SharedFolders) { [void] (Confirm-Text 'sharedFolders' $path 100 $Relative $file) }
  $script:ConnectionName = ''
  $connection = Get-Setting $settings 'connectionString' ([Management.Automation.PSCustomObject])
  if ($null -ne $connection) {
    $value = Get-Setting $connection 'name' ([string])
    $script:ConnectionName = Confirm-Text 'connectionString.name' $value 100 '^[0-9A-Za-z_.-]+$' 'a name'
    $value = Get-Setting $connection 'secret' ([string])
    $script:ConnectionSecret = Confirm-Text 'connectionString.secret' $value 127 $SecretName 'the name of a secret'
  }
  $script:MachineKeySecret = Get-Setting $settings 'machineKeySecret' ([string])
  if ($null -ne $MachineKeySecret) {
    [void] (Confirm-Text 'machineKeySecret' $MachineKeySecret 127 $SecretName 'the name of a secret')
  }
  if (($ConnectionName -ne '' -or $null -ne $MachineKeySecret) -and $KeyVaultHost -eq '') {
    Stop-Step 2 'KEY_VAULT_HOST is missing, but IIS_SETTINGS_BASE64 names secrets: set it'
  }
  $script:DisableInitializer = Get-Setting $settings 'disableInitializer' ([string])
  if ($null -ne $DisableInitializer) {
    $type = '^[A-Za-z_][0-9A-Za-z_.+]*( *, *[0-9A-Za-z_.=-]+)*$'
    [void] (Confirm-Text 'disableInitializer' $DisableInitializer 400 $type 'the name of a type')
  }
  $script:AllowInitializer = $true -eq (Get-Setting $settings 'allowDestructiveInitializer' ([bool]))
  $script:AppSettings = @{}
  $pairs = Get-Setting $settings 'appSettings' ([Management.Automation.PSCustomObject])
  if ($null -ne $pairs) {
    foreach ($property in $pairs.PSObject.Properties) {
      $value = Confirm-Text 'appSettings' $property.Value 4000 '' 'printable ASCII'
      $AppSettings[(Confirm-Text 'appSettings' $property.Name 200 '^[!-~]+$' 'a name')] = $value
    }
  }
  $script:WarmUp = @()
  foreach ($page in (Get-Setting $settings 'warmUp' ([array]))) {
    $path = Get-Setting $page 'path' ([string])
    [void] (Confirm-Text 'warmUp.path' $path 2000 $RequestPath 'a path that starts with /')
    $status = Get-Setting $page 'status' ([int])
    if ($null -eq $status -or $status -lt 100 -or $status -gt 599) {
      Stop-Step 2 ('the warm-up page {0} needs a status from 100 to 599' -f $path)
    }
    $script:WarmUp += @{ Path = $path; Status = $status; Holds = [string] (Get-Setting $page 'contains' ([string])) }
  }
}

# One value, or $null. The comma keeps an array of one element an array.
function Get-Setting($Object, [string] $Name, [type] $Type) {
  if ($Object -isnot [Management.Automation.PSCustomObject]) {
    Stop-Step 2 ('IIS_SETTINGS_BASE64 has no object with {0}: correct it in the environment' -f $Name)
  }
  $property = $Object.PSObject.Properties[$Name]
  if ($null -eq $property -or $null -eq $property.Value) { return $null }
  if ($property.Value -isnot $Type) {
    Stop-Step 2 ('{0} in IIS_SETTINGS_BASE64 must be of type {1}: correct it in the environment' -f $Name, $Type.Name)
  }
  return , $property.Value
}

# ------------------------------------------------------------------------------------------------------- main course

$Phase = 'starting'
$Outcome = ''
$Reason = ''
$PublishedAt = [DateTime]::UtcNow
$Previous = ''
$Staging = ''
$Mutex = $null
$MutexHeld = $false
$Unpacked = $false
$Touched = $false
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

function Get-ResultLine([string] $Release, [string] $Result) {
  $seconds = $Clock.Elapsed.TotalSeconds.ToString('0.000', [Globalization.CultureInfo]::InvariantCulture)
  return '{{"step":"install","slot":"{0}","releaseId":"{1}","outcome":"{2}","seconds":{3}}}' -f
    $Slot, $Release, $Result, $seconds
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
  $seconds = $DeadlineSeconds + $PatienceSeconds # as long as a good install can take
  try {
    $script:MutexHeld = $Mutex.WaitOne(1000 * $seconds)
  } catch [Threading.AbandonedMutexException] {
    $script:MutexHeld = $true # whoever held it was killed: what it left is put right below
  }
  if (-not $MutexHeld) {
    Stop-Step 3 ('another install still runs on this server after {0} s: wait for it, then retry' -f $seconds)
  }

  # ASP.NET watches its folder from above: so the pools may list folders (not read files) on the way to a release.
  if (-not (Get-AccessText $ServerFolder).Contains((Get-PoolSid $SiteName))) {
    Protect-Folder $ServerFolder 'CI;0x1200a9'
  }
  foreach ($folder in 'releases', 'run', 'downloads', 'data') {
    [void] [IO.Directory]::CreateDirectory((Get-Below $folder))
  }
}

# The sequence only grows, and a sequence has one content: so a stale checkout cannot install anything.
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
  Remove-NetFirewallRule -Name ('bluegreen-' + $SiteName) -ErrorAction SilentlyContinue
  [IO.File]::Delete((Get-HealthyFile $Slot))
}

# Stops what the slot runs, starts the release there and waits for it. What fails from here on is undone.
function Update-Slot {
  $script:Previous = Get-Previous
  Confirm-PortFree
  Initialize-SharedFolders

  $script:Phase = 'stopping the old release'
  $script:Touched = $true
  Stop-Slot

  $script:Phase = 'starting ' + $ReleaseId
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

# Puts the slot back. What cannot be put back is said in the message, and is exit 1.
function Undo-Install {
  if ($Staging -ne '') { Remove-Folder $Staging }
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
  if (($Unpacked -or $Touched) -and -not (Test-InUse $ReleaseId)) {
    Remove-Folder (Get-Below ('releases\' + $ReleaseId))
  }
}

# What the slot goes back to: what was last healthy there. (After a crash the site may be at a candidate.)
function Get-Previous {
  foreach ($id in (Get-LastHealthy $Slot), (Get-LinkedRelease $SiteName)) {
    if ($id -ne '' -and $id -cne $ReleaseId -and [IO.File]::Exists((Get-Below ('releases\' + $id + '\.release')))) {
      return $id
    }
  }
  return ''
}

# --------------------------------------------------------------------------------- the release: fetch, unpack, set up

function Get-Release {
  $script:Phase = 'fetching ' + $ReleaseId
  $folder = Get-Below ('releases\' + $ReleaseId)
  $marker = '{0} {1} {2}' -f $ReleaseId, $ArtifactSha256, $SettingsDigest
  if ([IO.Directory]::Exists($folder)) {
    $known = Read-Whole ([IO.Path]::Combine($folder, '.release'))
    if ($known -ceq $marker) { return }
    if ($known -ne '' -or (Test-InUse $ReleaseId)) {
      Stop-Step 3 ('release {0} is already here with another sha256 or other settings: {1}' -f
        $ReleaseId, 'release it under a new version or run')
    }
    Remove-Folder $folder # no .release: put there by hand
  }
  $file = Get-Below ('downloads\' + $ArtifactSha256 + '.partial')
  Save-Artifact $file
  $actual = Get-Sha256 ([IO.File]::OpenRead($file))
  if ($actual -cne $ArtifactSha256) {
    Stop-Step 4 ('the artifact has sha256 {0}..., the record says {1}...: publish it again, or correct the record' -f
      $actual.Substring(0, 12), $ArtifactSha256.Substring(0, 12))
  }
  $script:Phase = 'unpacking ' + $ReleaseId
  $script:Staging = Get-Below ('releases\.staging-' + (Get-UniqueName))
  [void] [IO.Directory]::CreateDirectory($Staging)
  Protect-Folder $Staging 'OICI;0x1200a9'
  Expand-Artifact $file $Staging
  Edit-WebConfig $Staging
  Write-Whole ([IO.Path]::Combine($Staging, '_release.txt')) ('{0} {1}' -f $ReleaseId, $ArtifactSha256)
  Write-Whole ([IO.Path]::Combine($Staging, '.release')) $marker
  [IO.Directory]::Move($Staging, $folder)
  $script:Staging = ''
  $script:Unpacked = $true
  [IO.File]::Delete($file)
}

# The storage token goes to ARTIFACT_HOST only, and no redirect is followed with it.
function Save-Artifact([string] $File) {
  $address = [Uri] $ArtifactUrl
  $headers = @{}
  $retry = '^(0|429|5[0-9]{2})$'
  $patience = 30
  if ($ArtifactHost -ne '' -and $address.Authority -eq ([Uri] ('https://' + $ArtifactHost)).Authority) {
    $token = Get-Token 'https://storage.azure.com/'
    $headers = @{ 'Authorization' = 'Bearer ' + $token; 'x-ms-version' = '2021-08-06' }
    $retry = '^(0|403|404|429|5[0-9]{2})$'
    $patience = $PatienceSeconds
  }
  $watch = [Diagnostics.Stopwatch]::StartNew()
  $pause = 1
  $hops = 0
  while ($true) {
    $status = Save-Answer $address $headers $File
    if ($status -eq 200) { return }
    if ($headers.Count -eq 0 -and [string] $status -cmatch '^30[12378]$' -and $hops -lt 5) {
      $hops++
      $address = [Uri]::new($address, $Location)
      if ($address.Scheme -cne 'https') {
        Stop-Step 4 'download failed: the address redirects to something that is not https: correct the record'
      }
      continue
    }
    if ([string] $status -cnotmatch $retry -or $watch.Elapsed.TotalSeconds -gt $patience) {
      Stop-Step 4 ('download failed: {0} from {1}: is it right, reachable, and may this server read it?' -f
        $Reason, ($ArtifactUrl -replace '\?.*', ''))
    }
    Start-Sleep -Seconds $pause
    $pause = [Math]::Min(2 * $pause, 30)
  }
}

# One attempt: the status; 0 if there was no answer, or only a part of one. Fills $Reason and $Location.
function Save-Answer([Uri] $Address, [hashtable] $Headers, [string] $File) {
  $response = Send-Request $Address $Headers 30000 ''
  if ($null -eq $response) { return 0 }
  $target = $null
  try {
    $status = [int] $response.StatusCode
    $script:Reason = 'status {0} instead of 200' -f $status
    $script:Location = [string] $response.Headers['Location']
    if ($status -ne 200) { return $status }
    try {
      $script:PublishedAt = $response.LastModified.ToUniversalTime() # now, if the header is missing
    } catch { $script:PublishedAt = [DateTime]::UtcNow } # or is no date
    $target = [IO.File]::Create($File)
    $count = Copy-Stream ($response.GetResponseStream()) $target $MaxBytes (1000 * $FetchSeconds)
    if ($count -gt $MaxBytes) {
      Stop-Step 4 ('download failed: the artifact has more than {0} bytes' -f $MaxBytes)
    }
    if ($response.ContentLength -ge 0 -and $response.ContentLength -ne $count) {
      $script:Reason = '{0} of {1} bytes' -f $count, $response.ContentLength
      return 0
    }
    return 200
  } catch {
    if ((Get-ExitCode $_) -ne 1) { throw }
    $script:Reason = $_.Exception.GetBaseException().Message
    return 0
  } finally {
    if ($null -ne $target) { $target.Dispose() }
    $response.Dispose()
  }
}

# Everything is refused by the listing before a byte is unpacked; what came out is looked at too, a listing can lie.
function Expand-Artifact([string] $File, [string] $Folder) {
  $archive = $null
  try {
    # Names that do not say what they are: zip on Linux writes UTF-8, and does not say so.
    $archive = [IO.Compression.ZipFile]::Open($File, 'Read', [Text.Encoding]::UTF8)
    $expected = Confirm-Entries $archive
    [IO.Compression.ZipFileExtensions]::ExtractToDirectory($archive, $Folder)
    # Files are as old as the artifact is published, on each server the same. IIS makes an ETag of it: with the one time
    # that a reproducible build gives to all, a browser would be told that the last release's file is still good.
    if ($PublishedAt -gt [DateTime]::UtcNow) { $script:PublishedAt = [DateTime]::UtcNow }
    $actual = [long] 0
    foreach ($item in [IO.DirectoryInfo]::new($Folder).GetFiles('*', [IO.SearchOption]::AllDirectories)) {
      $actual += $item.Length
      $item.LastWriteTimeUtc = $PublishedAt
    }
    if ($actual -ne $expected) {
      Stop-Step 4 ('the archive unpacks to {0} bytes, its listing says {1}: build it again' -f $actual, $expected)
    }
  } catch {
    if ((Get-ExitCode $_) -ne 1) { throw }
    Stop-Step 4 ('the artifact cannot be unpacked as a zip file: {0}: build and publish it again' -f
      $_.Exception.GetBaseException().Message)
  } finally {
    if ($null -ne $archive) { $archive.Dispose() }
  }
}

# Returns how many bytes the listing promises. A "\" is a "/": older .NET packs so.
function Confirm-Entries($Archive) {
  $seen = [Collections.Generic.HashSet[string]]::new([StringComparer]::OrdinalIgnoreCase)
  $longest = 247 - [Math]::Max($Staging.Length, (Get-Below ('releases\' + $ReleaseId)).Length)
  $total = [long] 0
  if ($Archive.Entries.Count -eq 0 -or $Archive.Entries.Count -gt $MaxEntries) {
    Stop-Step 4 ('the archive is refused: it has {0} entries, not 1 to {1}' -f $Archive.Entries.Count, $MaxEntries)
  }
  foreach ($entry in $Archive.Entries) {
    $plain = $entry.FullName.Replace('\', '/') -replace '/\z', ''
    $flaw = Get-EntryFlaw $plain
    if ($plain.Length -gt $longest) { $flaw = 'a name that is too long for Windows' }
    if ($flaw -eq '' -and -not $seen.Add($plain)) { $flaw = 'two entries of one name' }
    if ($flaw -ne '') {
      $shown = $plain.Substring(0, [Math]::Min(100, $plain.Length))
      Stop-Step 4 ('the archive is refused: {0}: {1}: build it from plain files and folders' -f $flaw, $shown)
    }
    $total += $entry.Length
    if ($total -gt $MaxBytes) {
      Stop-Step 4 ('the archive is refused: it unpacks to more than {0} bytes' -f $MaxBytes)
    }
  }
  foreach ($path in $RequiredFiles) {
    if (-not $seen.Contains($path)) {
      Stop-Step 4 ('the archive has no {0}: was the whole web folder published? build and publish it again' -f $path)
    }
  }
  return $total
}

function Get-EntryFlaw([string] $Name) {
  foreach ($rule in $EntryFlaws) { if ($Name -match $rule[0]) { return $rule[1] } }
  return ''
}

# --------------------------------------------------------------------------------------------------------- Web.config

# The settings of this environment, as a change of the document: a value never becomes markup.
function Edit-WebConfig([string] $Folder) {
  $script:Phase = 'setting up Web.config'
  $file = [IO.Path]::Combine($Folder, 'Web.config')
  $document = [Xml.XmlDocument]::new()
  $document.XmlResolver = $null
  $document.PreserveWhitespace = $true
  try {
    $document.Load($file)
  } catch {
    Stop-Step 4 'the archive has no Web.config that is XML: build and publish it again'
  }
  $root = $document.DocumentElement
  if ($root.LocalName -cne 'configuration' -or $root.NamespaceURI -ne '') {
    Stop-Step 4 'Web.config does not begin with a plain <configuration>: correct it, then release again'
  }
  $web = Get-Element $root 'system.web'
  (Get-Element $web 'compilation').RemoveAttribute('debug')
  if ($ConnectionName -ne '') {
    $connection = Get-Element (Get-Section $root 'connectionStrings') 'add' 'name' $ConnectionName
    $connection.SetAttribute('connectionString', (Get-Secret $ConnectionSecret))
    if (-not $connection.HasAttribute('providerName')) {
      $connection.SetAttribute('providerName', 'System.Data.SqlClient')
    }
  }
  if ($null -ne $MachineKeySecret) { Set-MachineKey (Get-Section $web 'machineKey') }
  foreach ($key in $AppSettings.Keys) {
    (Get-Element (Get-Section $root 'appSettings') 'add' 'key' $key).SetAttribute('value', $AppSettings[$key])
  }
  if ($null -ne $DisableInitializer) {
    $contexts = Get-Element (Get-Section $root 'entityFramework') 'contexts'
    (Get-Element $contexts 'context' 'type' $DisableInitializer).SetAttribute('disableDatabaseInitialization', 'true')
  }
  Confirm-InitializerOff $root $Folder

  $writer = [IO.StreamWriter]::new($file, $false, [Text.UTF8Encoding]::new($false))
  try {
    $document.Save($writer)
  } finally { $writer.Dispose() }
}

# Entity Framework may drop and create a database that has "changed" when the application starts. With two releases on
# one database that is a matter of time: so a release must say that nothing of the kind happens.
function Confirm-InitializerOff([Xml.XmlElement] $Root, [string] $Folder) {
  $section = $Root.SelectSingleNode('entityFramework')
  if ($null -eq $section -and -not [IO.File]::Exists([IO.Path]::Combine($Folder, 'bin\EntityFramework.dll'))) {
    return
  }
  if ($null -ne $section -and $null -eq $Root.SelectSingleNode('configSections/section[@name="entityFramework"]')) {
    Stop-Step 4 'Web.config has no <section> for entityFramework in configSections: add it, then release again'
  }
  foreach ($context in $Root.SelectNodes('entityFramework/contexts/context')) {
    if ($context.GetAttribute('disableDatabaseInitialization') -eq 'true') { return }
  }
  if (-not $AllowInitializer) {
    Stop-Step 4 ('the release uses Entity Framework and nothing keeps it from creating the database anew: ' +
      'set disableInitializer to the type of its context (or allowDestructiveInitializer, if the data may be lost)')
  }
}

# One key for all servers, slots and releases, or each would refuse the cookies of the others.
function Set-MachineKey([Xml.XmlElement] $Element) {
  $text = Get-Secret $MachineKeySecret
  $hexadecimal = @{
    'validationKey' = '^[0-9A-Fa-f]{64,128}\z'
    'decryptionKey' = '^([0-9A-Fa-f]{48}|[0-9A-Fa-f]{64})\z'
  }
  foreach ($name in $hexadecimal.Keys) {
    $key = Get-JsonText $text $name
    if ($key -cnotmatch $hexadecimal[$name]) {
      Stop-Step 4 ('secret {0} must hold JSON with a hexadecimal {1}: write it again' -f $MachineKeySecret, $name)
    }
    $Element.SetAttribute($name, $key)
  }
  $Element.SetAttribute('validation', 'HMACSHA256')
  $Element.SetAttribute('decryption', 'AES')
}

# The child of that name (and, if given, with that attribute); it is made if there is none.
function Get-Element([Xml.XmlElement] $Parent, [string] $Name, [string] $Attribute, [string] $Value) {
  foreach ($node in $Parent.ChildNodes) {
    if ($node -is [Xml.XmlElement] -and $node.LocalName -ceq $Name -and
      ($Attribute -eq '' -or $node.GetAttribute($Attribute) -eq $Value)) {
      return $node
    }
  }
  $element = $Parent.OwnerDocument.CreateElement($Name)
  if ($Attribute -ne '') { $element.SetAttribute($Attribute, $Value) }
  return $Parent.AppendChild($element)
}

function Get-Section([Xml.XmlElement] $Parent, [string] $Name) {
  $section = Get-Element $Parent $Name
  if ($section.HasAttribute('configSource') -or $section.HasAttribute('configProtectionProvider')) {
    Stop-Step 4 ('Web.config keeps {0} encrypted or in another file: put it into Web.config as it is' -f $Name)
  }
  return $section
}

# ----------------------------------------------------------------------------------------- requests, tokens, secrets

# The token of the server's identity for a service.
function Get-Token([string] $Resource) {
  $address = $MetadataAddress + '?api-version=2018-02-01&resource=' + [Uri]::EscapeDataString($Resource)
  if ($Identity -ne '') { $address += '&msi_res_id=' + [Uri]::EscapeDataString($Identity) }
  $answer = Get-PatientAnswer $address @{ 'Metadata' = 'true' } '^(0|404|410|429|5[0-9]{2})$'
  if ($answer.Status -ne 200) {
    Stop-Step 1 ('no token for {0} ({1}): is the identity assigned to this server?' -f $Resource, $Reason)
  }
  return Get-JsonText $answer.Text 'access_token'
}

function Get-Secret([string] $Name) {
  $address = 'https://{0}/secrets/{1}?api-version=7.4' -f $KeyVaultHost, $Name
  $headers = @{ 'Authorization' = 'Bearer ' + (Get-Token 'https://vault.azure.net') }
  $answer = Get-PatientAnswer $address $headers '^(0|403|429|5[0-9]{2})$'
  if ($answer.Status -ne 200) {
    Stop-Step 1 ('secret {0} of {1} cannot be read ({2}): does it exist, and may this server read it?' -f
      $Name, $KeyVaultHost, $Reason)
  }
  return Get-JsonText $answer.Text 'value'
}

# A text of a JSON object that may be secret: so a failure never quotes it.
function Get-JsonText([string] $Json, [string] $Name) {
  $value = $null
  try {
    $value = (ConvertFrom-Json -InputObject $Json).PSObject.Properties[$Name].Value
  } catch {
    $value = $null
  }
  if ($value -isnot [string] -or $value -eq '') {
    Stop-Step 1 ('what was read holds no JSON with a text "{0}": write the secret again, then retry' -f $Name)
  }
  return $value
}

# Asks again, ever more slowly, while the status is one that time may heal.
function Get-PatientAnswer([string] $Address, [hashtable] $Headers, [string] $Retry) {
  $watch = [Diagnostics.Stopwatch]::StartNew()
  $pause = 1
  while ($true) {
    $answer = Get-Answer $Address $Headers 10000 ''
    if ([string] $answer.Status -cnotmatch $Retry -or $watch.Elapsed.TotalSeconds -gt $PatienceSeconds) {
      return $answer
    }
    Start-Sleep -Seconds $pause
    $pause = [Math]::Min(2 * $pause, 30)
  }
}

# One request; an answer of any status is an answer, a redirect too. Status 0 and $Reason if there was none.
function Get-Answer([string] $Address, [hashtable] $Headers, [int] $Milliseconds, [string] $HostName) {
  $answer = @{ Status = 0; Headers = $null; Text = '' }
  $response = Send-Request ([Uri] $Address) $Headers $Milliseconds $HostName
  if ($null -eq $response) { return $answer }
  $memory = [IO.MemoryStream]::new()
  try {
    [void] (Copy-Stream ($response.GetResponseStream()) $memory $MaxAnswerBytes $Milliseconds)
    $answer.Text = [Text.Encoding]::UTF8.GetString($memory.ToArray())
    $answer.Headers = $response.Headers
    $answer.Status = [int] $response.StatusCode
    $script:Reason = 'status {0}' -f $answer.Status
  } catch {
    $script:Reason = $_.Exception.GetBaseException().Message
  } finally { $response.Dispose() }
  return $answer
}

# .NET throws for a status from 400; the response is in the exception. $null and $Reason if there is none.
function Send-Request([Uri] $Address, [hashtable] $Headers, [int] $Milliseconds, [string] $HostName) {
  $request = [Net.WebRequest]::Create($Address)
  $request.AllowAutoRedirect = $false
  $request.KeepAlive = $false
  $request.Timeout = $Milliseconds
  $request.ReadWriteTimeout = $Milliseconds
  $request.UserAgent = 'bluegreen-install'
  if ($Address.Scheme -ceq 'http') {
    $request.Proxy = $null # this server itself, or its metadata service
  }
  if ($HostName -ne '') { $request.Host = $HostName }
  foreach ($name in $Headers.Keys) { $request.Headers.Add($name, $Headers[$name]) }
  try {
    return $request.GetResponse()
  } catch {
    for ($cause = $_.Exception; $null -ne $cause; $cause = $cause.InnerException) {
      if ($cause -is [Net.WebException]) {
        $script:Reason = $cause.Message
        return $cause.Response
      }
    }
    throw
  }
}

# Returns the number of bytes: more than the limit if there were too many.
function Copy-Stream($Source, $Target, [long] $Limit, [int] $Milliseconds) {
  $watch = [Diagnostics.Stopwatch]::StartNew()
  $buffer = [byte[]]::new(65536)
  $total = [long] 0
  while ($total -le $Limit) {
    $count = $Source.Read($buffer, 0, $buffer.Length)
    if ($count -le 0) { break }
    $Target.Write($buffer, 0, $count)
    $total += $count
    if ($watch.ElapsedMilliseconds -gt $Milliseconds) {
      throw [TimeoutException]::new('the answer was not complete in time')
    }
  }
  return $total
}

# ---------------------------------------------------------------------------------------------------- the slot in IIS

# Points the slot's site and pool to a release (or removes them, if it is empty) in one commit, all or nothing. Others
# may change the configuration at the same moment: then the commit fails, and is tried again from the start.
function Set-Slot([string] $Release, [bool] $Runs) {
  for ($attempt = 1; $true; $attempt++) {
    $manager = [Microsoft.Web.Administration.ServerManager]::new()
    try {
      if ($Release -eq '') {
        Remove-SlotSite $manager
      } else {
        Set-SlotPool $manager $Runs
        Set-SlotSite $manager (Get-Below ('releases\' + $Release))
      }
      $manager.CommitChanges()
      return
    } catch {
      if ($attempt -ge 5) { throw }
      Start-Sleep -Milliseconds (Get-Random -Minimum 1000 -Maximum 4000)
    } finally { $manager.Dispose() }
  }
}

# Always warm: no idle time-out, no restart by the clock. A pool that stops gives its requests STOP_SECONDS to end.
function Set-SlotPool($Manager, [bool] $Runs) {
  $pool = $Manager.ApplicationPools[$SiteName]
  if ($null -eq $pool) { $pool = $Manager.ApplicationPools.Add($SiteName) }
  $pool.AutoStart = $Runs
  $pool.ManagedRuntimeVersion = 'v4.0'
  $pool.ManagedPipelineMode = 'Integrated'
  $pool.SetAttributeValue('startMode', 'AlwaysRunning')
  $pool.ProcessModel.IdentityType = 'ApplicationPoolIdentity'
  $pool.ProcessModel.IdleTimeout = [TimeSpan]::Zero
  $pool.ProcessModel.ShutdownTimeLimit = [TimeSpan]::FromSeconds($StopSeconds)
  $pool.Recycling.PeriodicRestart.Time = [TimeSpan]::Zero
  $pool.Recycling.DisallowOverlappingRotation = $false
}

# The site's id is its port: the same on every server, and nobody else's, because the port is not.
function Set-SlotSite($Manager, [string] $Folder) {
  $site = $Manager.Sites[$SiteName]
  if ($null -eq $site) { $site = $Manager.Sites.Add($SiteName, 'http', (Get-Binding), $Folder) }
  $site.Id = $Port
  $site.ServerAutoStart = $true
  $site.Bindings.Clear()
  [void] $site.Bindings.Add((Get-Binding), 'http')
  $root = $site.Applications['/']
  $root.ApplicationPoolName = $SiteName
  $root.SetAttributeValue('preloadEnabled', $true)
  $root.VirtualDirectories['/'].PhysicalPath = $Folder
  foreach ($old in @($root.VirtualDirectories | Where-Object { $_.Path -ne '/' })) {
    $root.VirtualDirectories.Remove($old)
  }
  foreach ($path in $SharedFolders) {
    [void] $root.VirtualDirectories.Add('/' + $path, (Get-SharedFolder $path))
  }
  # Static files are otherwise read as IUSR, who may not read a release.
  $section = 'system.webServer/security/authentication/anonymousAuthentication'
  $Manager.GetApplicationHostConfiguration().GetSection($section, $SiteName).SetAttributeValue('userName', '')
}

function Remove-SlotSite($Manager) {
  if ($null -ne $Manager.Sites[$SiteName]) { $Manager.Sites.Remove($Manager.Sites[$SiteName]) }
  if ($null -ne $Manager.ApplicationPools[$SiteName]) {
    $Manager.ApplicationPools.Remove($Manager.ApplicationPools[$SiteName])
  }
}

# IIS needs a moment until it knows the state of what was just committed, and throws until then.
function Start-Slot {
  for ($attempt = 1; $true; $attempt++) {
    $manager = [Microsoft.Web.Administration.ServerManager]::new()
    try {
      $pool = $manager.ApplicationPools[$SiteName]
      if ($pool.State -ne 'Started') { [void] $pool.Start() }
      $site = $manager.Sites[$SiteName]
      if ($site.State -ne 'Started') { [void] $site.Start() }
      return
    } catch {
      if ($attempt -ge 20) {
        Stop-Step 4 ('site {0} cannot be started: {1}: look at the event log of the server' -f
          $SiteName, $_.Exception.GetBaseException().Message)
      }
      Start-Sleep -Milliseconds 500
    } finally { $manager.Dispose() }
  }
}

# IIS lets requests end, for the time that the pool is configured with; then it ends the process.
function Stop-Slot {
  $watch = [Diagnostics.Stopwatch]::StartNew()
  $state = 'no state'
  while ($watch.Elapsed.TotalSeconds -lt $StopSeconds + 30) {
    $manager = [Microsoft.Web.Administration.ServerManager]::new()
    try {
      $pool = $manager.ApplicationPools[$SiteName]
      if ($null -eq $pool -or ($pool.State -eq 'Stopped' -and $pool.WorkerProcesses.Count -eq 0)) { return }
      $state = $pool.State
      if ($state -eq 'Started') { [void] $pool.Stop() }
    } catch {
      $state = $_.Exception.GetBaseException().Message
    } finally { $manager.Dispose() }
    Start-Sleep -Milliseconds 250
  }
  Stop-Step 1 ('slot {0} cannot be stopped, its pool says "{1}": look at the server' -f $Slot, $state)
}

# All sites of this server, with their folders and bindings.
function Get-Sites {
  $manager = [Microsoft.Web.Administration.ServerManager]::new()
  try {
    $sites = foreach ($site in $manager.Sites) {
      $directories = $site.Applications | ForEach-Object { $_.VirtualDirectories }
      $folders = $directories | ForEach-Object { [string] $_.PhysicalPath }
      $bindings = $site.Bindings | ForEach-Object { [string] $_.BindingInformation }
      @{ Name = $site.Name; Folders = @($folders); Bindings = $bindings -join ' ' }
    }
    return $sites
  } finally { $manager.Dispose() }
}

function Get-LinkedRelease([string] $Name) {
  foreach ($site in (Get-Sites)) {
    foreach ($folder in $site.Folders) {
      if ($site.Name -eq $Name -and [IO.Path]::GetDirectoryName($folder) -eq (Get-Below 'releases')) {
        return [IO.Path]::GetFileName($folder)
      }
    }
  }
  return ''
}

function Get-Binding {
  if ($BindAddress -eq '0.0.0.0') { return '*:{0}:' -f $Port }
  return '{0}:{1}:' -f $BindAddress, $Port
}

# Whoever listens on the port must be this slot's site. 4 is the process of Windows that listens for all sites.
function Confirm-PortFree {
  foreach ($site in (Get-Sites)) {
    if ($site.Name -ne $SiteName -and $site.Bindings.Contains((':{0}:' -f $Port))) {
      Stop-Step 3 ('port {0} is taken by site {1}: choose another port, or remove that site' -f $Port, $site.Name)
    }
  }
  foreach ($listener in (Get-NetTCPConnection -State Listen -LocalPort $Port -ErrorAction SilentlyContinue)) {
    if ($listener.OwningProcess -ne 4) {
      Stop-Step 3 ('port {0} is taken by process {1}, which is not slot {2}: stop it, or choose another port' -f
        $Port, $listener.OwningProcess, $Slot)
    }
  }
}

# Only the proxies may ask the slot.
function Open-Port {
  $script:Phase = 'setting the firewall'
  $rule = @{
    Name = 'bluegreen-' + $SiteName
    Direction = 'Inbound'
    Action = 'Allow'
    Protocol = 'TCP'
    LocalPort = [string] $Port
    RemoteAddress = $AllowedSources
    Profile = 'Any'
    Enabled = 'True'
  }
  if ($null -eq (Get-NetFirewallRule -Name $rule.Name -ErrorAction SilentlyContinue)) {
    [void] (New-NetFirewallRule -DisplayName $rule.Name @rule)
  } else { Set-NetFirewallRule @rule }
}

# What the application writes stays when a release goes. It begins with what the release brings.
function Initialize-SharedFolders {
  $script:Phase = 'preparing the shared folders'
  foreach ($path in $SharedFolders) {
    $shared = Get-SharedFolder $path
    $own = [IO.Path]::Combine((Get-Below ('releases\' + $ReleaseId)), $path.Replace('/', '\'))
    if ([IO.Directory]::Exists($shared) -and [IO.Directory]::GetFileSystemEntries($shared).Length -eq 0) {
      [IO.Directory]::Delete($shared)
    }
    if (-not [IO.Directory]::Exists($shared)) {
      $seed = Get-Below ('data\.seed-' + (Get-UniqueName))
      [void] [IO.Directory]::CreateDirectory($seed)
      Protect-Folder $seed 'OICI;0x1301bf'
      if ([IO.Directory]::Exists($own)) {
        Get-ChildItem -LiteralPath $own -Force | Copy-Item -Destination $seed -Recurse -Force
      }
      [void] [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($shared))
      [IO.Directory]::Move($seed, $shared)
    }
  }
}

# ------------------------------------------------------------------------------------------------------------- health

# The slot runs exactly what it shall run? Then it is left alone. It may still be starting (this is the second run after
# a crash): it gets a third of the deadline.
function Test-AlreadyHealthy {
  $script:Phase = 'looking at what runs in slot ' + $Slot
  if ((Get-LinkedRelease $SiteName) -cne $ReleaseId -or (Get-PoolState) -ne 'Started') { return $false }
  foreach ($site in (Get-Sites)) {
    if ($site.Name -eq $SiteName -and $site.Bindings -cne (Get-Binding)) { return $false }
  }
  return Wait-Healthy $ReleaseId (1000 * $DeadlineSeconds / 3)
}

function Get-PoolState {
  $manager = [Microsoft.Web.Administration.ServerManager]::new()
  try {
    return [string] $manager.ApplicationPools[$SiteName].State
  } catch {
    return ''
  } finally { $manager.Dispose() }
}

# The first request of a page compiles it: nobody but us shall wait for that.
function Wait-Warm([long] $Milliseconds) {
  $watch = [Diagnostics.Stopwatch]::StartNew()
  foreach ($page in $WarmUp) {
    while ($true) {
      $rest = $Milliseconds - $watch.ElapsedMilliseconds
      if ($rest -le 0) { return $false }
      $answer = Get-Page $page.Path ([Math]::Min($rest, 60000))
      if ($answer.Status -eq $page.Status -and $answer.Text.Contains($page.Holds)) { break }
      $script:Reason = '{0} answered with {1}, expected status {2} and "{3}"' -f
        $page.Path, $Reason, $page.Status, $page.Holds
      Start-Sleep -Milliseconds 500
    }
  }
  return $true
}

# HEALTH_SUCCESSES good answers in a row, or $false and $Reason.
function Wait-Healthy([string] $Release, [long] $Milliseconds) {
  $watch = [Diagnostics.Stopwatch]::StartNew()
  $good = 0
  while ($true) {
    $rest = $Milliseconds - $watch.ElapsedMilliseconds
    if ($rest -le 0) { return $false }
    if (Test-Health $Release ([Math]::Min($rest, $TimeoutMs))) {
      $good++
      if ($good -ge $HealthSuccesses) { return $true }
    } else { $good = 0 }
    $rest = [Math]::Max(0, $Milliseconds - $watch.ElapsedMilliseconds)
    Start-Sleep -Milliseconds ([Math]::Min($rest, $IntervalMs))
  }
}

# The status, and the release that answers: in one header, or by its name in the body.
function Test-Health([string] $Release, [int] $Milliseconds) {
  $answer = Get-Page $HealthPath $Milliseconds
  if ($answer.Status -ne $HealthStatus) {
    $script:Reason = '{0} answered with {1}, expected status {2}' -f $HealthPath, $Reason, $HealthStatus
    return $false
  }
  if ($ReleaseHeader -ne '') {
    $seen = @($answer.Headers.GetValues($ReleaseHeader)) -join ', '
    $script:Reason = '{0} says release "{1}" in {2}, expected "{3}"' -f $HealthPath, $seen, $ReleaseHeader, $Release
    return $seen -ceq $Release
  }
  $script:Reason = 'the body of {0} does not name release "{1}"' -f $HealthPath, $Release
  $named = '(^|[^0-9A-Za-z._-])' + [regex]::Escape($Release) + '($|[^0-9A-Za-z._-]|\.($|[^0-9A-Za-z]))'
  return $answer.Text -cmatch $named
}

function Get-Page([string] $Path, [int] $Milliseconds) {
  $server = $BindAddress
  if ($BindAddress -eq '0.0.0.0') { $server = '127.0.0.1' }
  return Get-Answer ('http://{0}:{1}{2}' -f $server, $Port, $Path) @{} $Milliseconds $HealthHost
}

# ----------------------------------------------------------------------------------------------------------- clean up

# The newest KEEP_RELEASES by their run, and everything that is in use. A failure here does not count.
function Remove-OldReleases {
  $script:Phase = 'cleaning up'
  try {
    foreach ($pattern in 'releases\.staging-*', 'releases\.trash-*', 'data\.seed-*', 'downloads\*') {
      Remove-Item -Path (Get-Below $pattern) -Recurse -Force -ErrorAction SilentlyContinue
    }
    $ids = [IO.DirectoryInfo]::new((Get-Below 'releases')).GetDirectories() |
      ForEach-Object { $_.Name } |
      Where-Object { $_ -cmatch '-[0-9]+$' } |
      Sort-Object -Descending -Property { [decimal] ($_ -replace '^.*-', '') }
    foreach ($id in ($ids | Select-Object -Skip $KeepReleases)) {
      if (-not (Test-InUse $id)) { Remove-Folder (Get-Below ('releases\' + $id)) }
    }
  } catch {
    # The release is installed, whatever could not be removed: next time.
  }
}

# Any site serves something of it, a slot was last healthy with it, or the caller protects it.
function Test-InUse([string] $Id) {
  if ($ProtectedReleases -ccontains $Id -or (Get-LastHealthy 'blue') -ceq $Id -or (Get-LastHealthy 'green') -ceq $Id) {
    return $true
  }
  $below = (Get-Below ('releases\' + $Id)) + '\'
  foreach ($site in (Get-Sites)) {
    foreach ($folder in $site.Folders) {
      if (($folder + '\').StartsWith($below, [StringComparison]::OrdinalIgnoreCase)) { return $true }
    }
  }
  return $false
}

# Renamed first: what is half removed must not look like a release. What is locked stays until the next clean-up.
function Remove-Folder([string] $Folder) {
  $trash = Get-Below ('releases\.trash-' + (Get-UniqueName))
  try {
    [IO.Directory]::Move($Folder, $trash)
    Remove-Item -LiteralPath $trash -Recurse -Force
  } catch {
    # Somebody holds a file in it.
  }
}

# -------------------------------------------------------------------------------------------------------- small parts

function Get-Below([string] $Path) { return [IO.Path]::Combine($ServerFolder, $Path) }

function Get-SharedFolder([string] $Path) { return Get-Below ('data\' + $Path.Replace('/', '\')) }

function Get-UniqueName { return [Guid]::NewGuid().ToString('N').Substring(0, 8) }

function Get-HealthyFile([string] $Name) { return Get-Below ('run\' + $Name + '.healthy') }

function Get-LastHealthy([string] $Name) { return Read-Whole (Get-HealthyFile $Name) }

function Read-Whole([string] $File) {
  if ([IO.File]::Exists($File)) { return [IO.File]::ReadAllText($File).Trim() }
  return ''
}

# Whole or not at all, and on the disk. NullString, because PowerShell makes an empty string of $null.
function Write-Whole([string] $File, [string] $Text) {
  $new = $File + '.new'
  $bytes = [Text.UTF8Encoding]::new($false).GetBytes($Text + [char] 10)
  $stream = [IO.FileStream]::new($new, [IO.FileMode]::Create, [IO.FileAccess]::Write)
  try {
    $stream.Write($bytes, 0, $bytes.Length)
    $stream.Flush($true)
  } finally { $stream.Dispose() }
  if ([IO.File]::Exists($File)) {
    [IO.File]::Replace($new, $File, [NullString]::Value)
  } else { [IO.File]::Move($new, $File) }
}

# Closes the stream.
function Get-Sha256([IO.Stream] $Stream) {
  $algorithm = [Security.Cryptography.SHA256]::Create()
  try {
    return [BitConverter]::ToString($algorithm.ComputeHash($Stream)).Replace('-', '').ToLowerInvariant()
  } finally {
    $algorithm.Dispose()
    $Stream.Dispose()
  }
}

# The account of an application pool, which Windows derives from the name: so it can be used before the pool exists.
function Get-PoolSid([string] $Pool) {
  $name = [Text.Encoding]::Unicode.GetBytes($Pool.ToLowerInvariant())
  $hash = [Security.Cryptography.SHA1]::Create().ComputeHash($name)
  $parts = foreach ($start in 0, 4, 8, 12, 16) {
    [BitConverter]::ToUInt32($hash, $start)
  }
  return 'S-1-5-82-' + ($parts -join '-')
}

function Get-AccessText([string] $Folder) {
  return [IO.Directory]::GetAccessControl($Folder).GetSecurityDescriptorSddlForm('Access')
}

# SYSTEM and the administrators, and the two pools of the application with the given access; nobody else.
function Protect-Folder([string] $Folder, [string] $PoolAccess) {
  $rules = 'D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)'
  foreach ($colour in 'blue', 'green') {
    $rules += '(A;{0};;;{1})' -f $PoolAccess, (Get-PoolSid ($Application + '-' + $colour))
  }
  $security = [Security.AccessControl.DirectorySecurity]::new()
  $security.SetSecurityDescriptorSddlForm($rules, [Security.AccessControl.AccessControlSections]::Access)
  [IO.Directory]::SetAccessControl($Folder, $security)
}

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
    $FailureText += '; and slot {0} could not be put back ({1}): IT MAY SERVE NOTHING, look at the server' -f
      $Slot, (Get-FailureText $_)
  }
} finally {
  if ($MutexHeld) { $Mutex.ReleaseMutex() }
}
if ($ExitCode -ne 0) {
  if ($Restored) {
    $FailureText += '; the old release {0} is back and healthy' -f $Previous
    Write-Output (Get-ResultLine $Previous 'restored')
  }
  Write-Output ('install: ' + $FailureText)
  exit $ExitCode
}
Write-Output (Get-ResultLine $ReleaseId $Outcome)
Write-Output ('bluegreen: {0} ended with 0' -f $StepName)
exit 0
