# ----------------------------------------------------------------------------------- fetch and unpack the release
# A part of install-release.ps1: downloads the artifact, checks its digest and its entries, and unpacks it.

function Get-Release {
  $script:Phase = 'fetching ' + $ReleaseId
  $folder = Get-Below ('releases\' + $ReleaseId)
  $marker = '{0} {1} {2}' -f $ReleaseId, $ArtifactSha256, $SettingsDigest
  if ([IO.Directory]::Exists($folder)) {
    $known = Read-Whole ([IO.Path]::Combine($folder, '.release'))
    if ($known -ceq $marker) { return }
    $sha256 = ($known + '  ').Split(' ')[1]
    if ($known -ne '' -and $sha256 -ceq $ArtifactSha256) {
      Stop-Step 3 ('release {0} is already here with other settings: release it under a new version or run' -f
        $ReleaseId)
    }
    if ($known -ne '' -or (Test-InUse $ReleaseId)) {
      Stop-Step 3 ('release {0} is already here with sha256 {1}, the record says {2}: {3}' -f $ReleaseId,
        $sha256.PadRight(12).Substring(0, 12).Trim(), $ArtifactSha256.Substring(0, 12),
        'release it under a new version or run')
    }
    Remove-Folder $folder # no .release: copied there by hand
  }
  $file = Get-Below ('downloads\' + $ArtifactSha256 + '.partial')
  $script:Partial = $file
  Save-Artifact $file
  $actual = Invoke-Patiently { Get-Sha256 ([IO.File]::OpenRead($file)) }
  if ($actual -cne $ArtifactSha256) {
    Stop-Step 4 ('the artifact''s sha256 is {0}..., the record says {1}...: publish it again, or correct the record' -f
      $actual.Substring(0, 12), $ArtifactSha256.Substring(0, 12))
  }
  $script:Phase = 'unpacking ' + $ReleaseId
  $script:Staging = Get-Below ('releases\.staging-' + (Get-UniqueName))
  [void] [IO.Directory]::CreateDirectory($Staging)
  Protect-Folder $Staging 'OICI;0x1200a9'
  Expand-Artifact $file $Staging
  foreach ($name in '.release', '_release.txt') { # the artifact cannot bring its own, not even as folders
    foreach ($item in (Get-ChildItem -LiteralPath $Staging -Filter $name -Force)) {
      Invoke-Patiently { Remove-Item -LiteralPath $item.FullName -Recurse -Force }
    }
  }
  Edit-WebConfig $Staging
  Write-Whole ([IO.Path]::Combine($Staging, '_release.txt')) ('{0} {1}' -f $ReleaseId, $ArtifactSha256)
  Write-Whole ([IO.Path]::Combine($Staging, '.release')) $marker
  $script:Phase = 'moving {0} into place' -f $ReleaseId
  Invoke-Patiently { [IO.Directory]::Move($Staging, $folder) }
  $script:Staging = ''
  $script:Unpacked = $true
  Invoke-Patiently { [IO.File]::Delete($file) }
  $script:Partial = ''
}

# The storage token is sent to ARTIFACT_HOST only, and no redirect is followed with it.
function Save-Artifact([string] $File) {
  $address = [Uri] $ArtifactUrl
  $from = $ArtifactUrl -replace '\?.*', ''
  $advice = 'is {0} right and reachable from this server?' -f $from
  $headers = @{}
  $retry = '^(0|429|5[0-9]{2})$'
  $attempts = 3
  if ($ArtifactHost -ne '' -and $address.Authority -eq ([Uri] ('https://' + $ArtifactHost)).Authority) {
    $token = Get-Token 'https://storage.azure.com/'
    $headers = @{ 'Authorization' = 'Bearer ' + $token; 'x-ms-version' = '2021-08-06' }
    $retry = '^(0|403|404|429|5[0-9]{2})$'
    $attempts = [int]::MaxValue
  }
  $pause = 1
  $hops = 0
  while ($true) {
    $status = Save-Answer $address $headers $File
    if ($status -eq 200) { return }
    $code = [string] $status
    if ($headers.Count -gt 0) {
      $problem = 'storage answered {0}{1}' -f $status, $Detail
      if ($status -eq 0) { $problem = 'storage gave no complete answer ({0})' -f $Reason }
      if ($status -eq 403) { $advice = 'does the identity have Storage Blob Data Reader on the container?' }
      if ($status -eq 404) { $advice = 'is the artifact published at {0}?' -f $from }
      if ($code -cmatch '^(429|5..)$') { $advice = 'retry later' }
      if ($code -cmatch '^3') { $advice = 'a redirect is not followed with a token: correct the artifact''s address' }
      if ($code -cmatch $retry) { $problem += ' for {0} s' -f $PrepareSeconds }
    } else {
      $problem = $Reason
      if ($code -cmatch '^30[12378]$' -and $hops -lt 5 -and $Location -ne '') {
        $hops++
        $next = $null
        if ([Uri]::TryCreate($address, $Location, [ref] $next) -and $next.Scheme -ceq 'https') {
          $address = $next
          continue
        }
        $problem = 'it redirects to something that is no https address'
      }
    }
    $attempts--
    if ($code -cnotmatch $retry -or $attempts -le 0 -or (Get-SecondsLeft) -le 0) {
      Stop-Step 4 ('download failed: {0}: {1}' -f $problem, $advice)
    }
    Start-Sleep -Milliseconds ([long] (1000 * [Math]::Min($pause, (Get-SecondsLeft))))
    $pause = [Math]::Min(2 * $pause, 30)
  }
}

# One attempt. Returns the status, or 0 if there was no complete answer. Sets $Reason, $Detail and $Location.
function Save-Answer([Uri] $Address, [hashtable] $Headers, [string] $File) {
  $script:Detail = ''
  $watch = [Diagnostics.Stopwatch]::StartNew()
  $milliseconds = Get-MillisecondsLeft ([int]::MaxValue)
  $response = Send-Request $Address $Headers (Get-MillisecondsLeft 30000) ''
  if ($null -eq $response) { return 0 }
  $target = $null
  try {
    $status = [int] $response.StatusCode
    $script:Reason = 'status {0} instead of 200' -f $status
    $script:Location = [string] $response.Headers['Location']
    if ($status -ne 200) {
      $script:Detail = Get-Detail (Read-Answer $response 1000 30000) '<Code>([A-Za-z]{1,60})</Code>'
      return $status
    }
    $room = Get-Room
    if ($response.ContentLength -gt $room -or $room -le 0) { Stop-TooLarge $room } # before the first byte is kept
    try {
      $script:PublishedAt = $response.LastModified.ToUniversalTime() # now, if the header is missing
    } catch { $script:PublishedAt = [DateTime]::UtcNow } # or is no date
    $target = [IO.File]::Create($File)
    $count = Copy-Stream ($response.GetResponseStream()) $target $room $milliseconds
    if ($count -gt $room) { Stop-TooLarge $room }
    if ($response.ContentLength -ge 0 -and $response.ContentLength -ne $count) {
      $script:Reason = '{0} of {1} bytes' -f $count, $response.ContentLength
      return 0
    }
    return 200
  } catch {
    if (Test-Decided $_) { throw }
    if ((Get-Room) -le 0) { Stop-FullDisk 'the artifact' } # another program has filled it meanwhile
    if ($watch.ElapsedMilliseconds -ge $milliseconds) {
      Stop-Step 4 ('download failed: not complete after {0} s: retry' -f $PrepareSeconds)
    }
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
    Confirm-Kinds $File
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
    $files = [IO.DirectoryInfo]::new($Folder).GetFiles('*', [IO.SearchOption]::AllDirectories)
    foreach ($item in $files) { $actual += $item.Length }
    Invoke-Patiently { foreach ($item in $files) { $item.LastWriteTimeUtc = $PublishedAt } }
    if ($actual -ne $expected) {
      Stop-Step 4 ('the archive cannot be unpacked: it has {0} bytes, its listing {1}: build and publish it again' -f
        $actual, $expected)
    }
  } catch {
    if (Test-Decided $_) { throw }
    if ((Get-Room) -le 0) { Stop-FullDisk 'what is in the archive' }
    Stop-Step 4 ('the archive cannot be unpacked: {0}: build and publish it again' -f
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
  if ($Archive.Entries.Count -eq 0) { Deny-Archive 'it is empty' }
  if ($Archive.Entries.Count -gt $MaxEntries) {
    Deny-Archive ('it has more than {0} files and folders (maxArtifactFiles in the environment file)' -f $MaxEntries)
  }
  foreach ($entry in $Archive.Entries) {
    $plain = $entry.FullName.Replace('\', '/') -replace '/\z', ''
    $flaw = Get-EntryFlaw $plain
    if ($plain.Length -gt $longest) { $flaw = 'a name that is too long for Windows' }
    if ($flaw -eq '' -and -not $seen.Add($plain)) { $flaw = 'two entries of one name' }
    if ($flaw -ne '') { Deny-Archive ('{0}: {1}' -f $flaw, $plain.Substring(0, [Math]::Min(100, $plain.Length))) }
    $total += $entry.Length
    if ($total -gt $MaxBytes) { Deny-Archive ('it unpacks to more than {0} bytes' -f $MaxBytes) }
  }
  foreach ($path in $RequiredFiles) {
    if (-not $seen.Contains($path)) {
      Stop-Step 4 ('the archive has no {0}: was the whole web folder published? Build and publish it again' -f $path)
    }
  }
  return $total
}

function Deny-Archive([string] $Why) {
  Stop-Step 4 ('the archive is refused: {0}: build it from plain files and folders' -f $Why)
}

# .NET Framework unpacks a symbolic link as a file with its target's name, and an encrypted entry as garbage. What an
# entry is stands in the listing at the archive's end, and .NET Framework does not show it.
function Confirm-Kinds([string] $File) {
  $reader = [IO.BinaryReader]::new([IO.File]::OpenRead($File))
  try {
    $stream = $reader.BaseStream
    if ($stream.Length -lt 4 -or $reader.ReadUInt32() -ne 0x04034b50) {
      if ($stream.Length -ne 22) { Stop-Step 4 'the artifact is no zip file: publish one' } # the size of an empty one
    }
    $at = Find-Listing $reader
    while ($at + 46 -le $stream.Length) {
      $stream.Position = $at
      $head = $reader.ReadBytes(46)
      if ([BitConverter]::ToUInt32($head, 0) -ne 0x02014b50) { return }
      $length = [BitConverter]::ToUInt16($head, 28)
      $name = [Text.Encoding]::UTF8.GetString($reader.ReadBytes($length))
      $name = $name.Substring(0, [Math]::Min(100, $name.Length))
      if ($head[8] -band 1) { Deny-Archive ('an encrypted entry: {0}' -f $name) }
      $kind = 'f'
      if ($head[5] -eq 3) { $kind = '?pc?d?b?-?l?s???'[[BitConverter]::ToUInt16($head, 40) -shr 12] } # packed on Unix
      if ('pcbls'.Contains($kind)) {
        Deny-Archive ('it has an entry that is neither file nor folder ({0}): {1}' -f $kind, $name)
      }
      $at += 46 + $length + [BitConverter]::ToUInt16($head, 30) + [BitConverter]::ToUInt16($head, 32)
    }
  } finally { $reader.Dispose() }
}

# Where the listing begins. Its place is in a record at the end, which a comment may follow.
function Find-Listing($Reader) {
  $stream = $Reader.BaseStream
  for ($end = $stream.Length - 22; $end -ge [Math]::Max(0, $stream.Length - 65557); $end--) {
    $stream.Position = $end
    if ($Reader.ReadUInt32() -ne 0x06054b50) { continue }
    $stream.Position = $end + 16
    $at = [long] $Reader.ReadUInt32()
    if ($at -ne 0xffffffffl -or $end -lt 20) { return $at }
    $stream.Position = $end - 12 # of a large archive: where its own record is
    $stream.Position = $Reader.ReadInt64() + 48
    return $Reader.ReadInt64()
  }
  return $stream.Length
}

function Get-EntryFlaw([string] $Name) {
  foreach ($rule in $EntryFlaws) { if ($Name -match $rule[0]) { return $rule[1] } }
  return ''
}
