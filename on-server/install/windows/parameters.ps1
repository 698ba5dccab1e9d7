# -------------------------------------------------------------------------------------------------------- parameters
# A part of install-release.ps1: its parameters. All are checked before anything is done.

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
    Stop-Step 2 'RELEASE_ID is missing: set it, or set it to nothing to empty the slot'
  }
  $release = '^([0-9A-Za-z][0-9A-Za-z.-]*-[0-9]+)?$'
  $script:ReleaseId = Read-Parameter 'RELEASE_ID' '' 57 $release '"<version>-<run>", or nothing for an empty slot'
  $script:Mode = Read-Parameter 'MODE' 'slot' 7 '^(slot|inPlace)$' 'slot or inPlace'
  $whole = '^[1-9][0-9]*$'
  $script:DeadlineSeconds = [int] (Read-Parameter 'DEADLINE_SECONDS' '60' 4 $whole 'whole seconds from 1 to 9999')
  $script:StopSeconds = [int] (Read-Parameter 'STOP_SECONDS' '30' 4 $whole 'whole seconds from 1 to 9999')
  $script:PrepareSeconds = [int] (Read-Parameter 'PREPARE_SECONDS' '300' 4 $whole 'whole seconds from 1 to 9999')
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
  $whole = '^[1-9][0-9]*$'
  $script:MaxEntries = [int] (Read-Parameter 'MAX_ARTIFACT_FILES' '200000' 7 $whole 'a number from 1 to 9999999')
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
    Stop-Step 2 ('{0} is not base64' -f $Name)
  }
}

# What the release needs on IIS. Missing and null settings are off.
function Read-IisSettings {
  $text = Read-Decoded 'IIS_SETTINGS_BASE64'
  $script:SettingsDigest = Get-Sha256 ([IO.MemoryStream]::new([Text.Encoding]::UTF8.GetBytes($text)))
  $settings = $null
  try {
    $settings = ConvertFrom-Json -InputObject $text
  } catch {
    Stop-Step 2 'IIS_SETTINGS_BASE64 is not JSON, or has names that differ only by case: correct it in the environment'
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
