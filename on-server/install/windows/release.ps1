# ----------------------------------------------------------------------------------- fetch and unpack the release
# A part of install-release.ps1: downloads the artifact, checks its digest and its entries, and unpacks it.

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
    Remove-Folder $folder # no .release: copied there by hand
  }
  $file = Get-Below ('downloads\' + $ArtifactSha256 + '.partial')
  $script:Partial = $file
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
  $script:Partial = ''
}

# The storage token is sent to ARTIFACT_HOST only, and no redirect is followed with it.
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
      Stop-Step 4 ('download failed: {0} from {1}: is the address right and reachable, and may this server read it?' -f
        $Reason, ($ArtifactUrl -replace '\?.*', ''))
    }
    Start-Sleep -Seconds $pause
    $pause = [Math]::Min(2 * $pause, 30)
  }
}

# One attempt. Returns the status, or 0 if there was no complete answer. Sets $Reason and $Location.
function Save-Answer([Uri] $Address, [hashtable] $Headers, [string] $File) {
  $response = Send-Request $Address $Headers 30000 ''
  if ($null -eq $response) { return 0 }
  $target = $null
  try {
    $status = [int] $response.StatusCode
    $script:Reason = 'status {0} instead of 200' -f $status
    $script:Location = [string] $response.Headers['Location']
    if ($status -ne 200) { return $status }
    $room = Get-Room
    if ($response.ContentLength -gt $room -or $room -le 0) { Stop-TooLarge $room } # before the first byte is kept
    try {
      $script:PublishedAt = $response.LastModified.ToUniversalTime() # now, if the header is missing
    } catch { $script:PublishedAt = [DateTime]::UtcNow } # or is no date
    $target = [IO.File]::Create($File)
    $count = Copy-Stream ($response.GetResponseStream()) $target $room (1000 * $FetchSeconds)
    if ($count -gt $room) { Stop-TooLarge $room }
    if ($response.ContentLength -ge 0 -and $response.ContentLength -ne $count) {
      $script:Reason = '{0} of {1} bytes' -f $count, $response.ContentLength
      return 0
    }
    return 200
  } catch {
    if ((Get-ExitCode $_) -ne 1) { throw }
    if ((Get-Room) -le 0) { Stop-FullDisk 'the artifact' } # another program has filled it meanwhile
    $script:Reason = $_.Exception.GetBaseException().Message
    return 0
  } finally {
    if ($null -ne $target) { $target.Dispose() }
    $response.Dispose()
  }
}

function Stop-TooLarge([long] $Room) {
  if ($Room -lt $MaxBytes) { Stop-FullDisk ($ArtifactUrl -replace '\?.*', '') }
  Stop-Step 4 ('download failed: {0} is larger than {1} bytes: build it from less' -f
    ($ArtifactUrl -replace '\?.*', ''), $MaxBytes)
}

# The bytes that a download, or what is in it, may have.
function Get-Room {
  return [Math]::Min($MaxBytes, [IO.DriveInfo]::new($ServerFolder.Substring(0, 1)).AvailableFreeSpace - $FreeBytes)
}

function Stop-FullDisk([string] $What) {
  Stop-Step 4 ('the disk has no room for {0}: {1} bytes are free in {2}, and {3} of them stay free: {4}' -f
    $What, ((Get-Room) + $FreeBytes), $ServerFolder, $FreeBytes, 'free some, then retry')
}

# Checks the listing before anything is unpacked, and the unpacked files after it: a listing can be wrong.
function Expand-Artifact([string] $File, [string] $Folder) {
  $archive = $null
  try {
    # For names without a mark: zip on Linux writes UTF-8 and does not mark it.
    $archive = [IO.Compression.ZipFile]::Open($File, 'Read', [Text.Encoding]::UTF8)
    $expected = Confirm-Entries $archive
    if ($expected + 4096 * $archive.Entries.Count -gt (Get-Room) -and (Get-Room) -lt $MaxBytes) {
      Stop-FullDisk ('what is in the archive, {0} bytes' -f $expected)
    }
    [IO.Compression.ZipFileExtensions]::ExtractToDirectory($archive, $Folder)
    # Sets the time of all files to the artifact's publication, the same on each server. IIS builds an ETag from it. A
    # reproducible build gives all files one time, and browsers would keep the last release's files.
    if ($PublishedAt -gt [DateTime]::UtcNow) { $script:PublishedAt = [DateTime]::UtcNow }
    $actual = [long] 0
    foreach ($item in [IO.DirectoryInfo]::new($Folder).GetFiles('*', [IO.SearchOption]::AllDirectories)) {
      $actual += $item.Length
      $item.LastWriteTimeUtc = $PublishedAt
    }
    if ($actual -ne $expected) {
      Stop-Step 4 ('the archive unpacks to {0} bytes, but its listing has {1}: build it again' -f $actual, $expected)
    }
  } catch {
    if ((Get-ExitCode $_) -ne 1) { throw }
    if ((Get-Room) -le 0) { Stop-FullDisk 'what is in the archive' }
    Stop-Step 4 ('the artifact cannot be unpacked as a zip file: {0}: build and publish it again' -f
      $_.Exception.GetBaseException().Message)
  } finally {
    if ($null -ne $archive) { $archive.Dispose() }
  }
}

# Returns the bytes that the listing has. A "\" counts as a "/", as older versions of .NET pack it.
function Confirm-Entries($Archive) {
  $seen = [Collections.Generic.HashSet[string]]::new([StringComparer]::OrdinalIgnoreCase)
  $longest = 247 - [Math]::Max($Staging.Length, (Get-Below ('releases\' + $ReleaseId)).Length)
  $total = [long] 0
  if ($Archive.Entries.Count -eq 0 -or $Archive.Entries.Count -gt $MaxEntries) {
    Stop-Step 4 ('the archive is refused: it has {0} files and folders, not 1 to {1} (maxArtifactFiles)' -f
      $Archive.Entries.Count, $MaxEntries)
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
      Stop-Step 4 ('the archive has no {0}: was the whole web folder published? Build and publish it again' -f $path)
    }
  }
  return $total
}

function Get-EntryFlaw([string] $Name) {
  foreach ($rule in $EntryFlaws) { if ($Name -match $rule[0]) { return $rule[1] } }
  return ''
}
