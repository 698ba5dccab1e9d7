# -------------------------------------------------------------------------------------------------------- small parts
# A part of install-release.ps1: paths, atomic writes, digests, access rights.

function Get-Below([string] $Path) { return [IO.Path]::Combine($ServerFolder, $Path) }

function Get-SharedFolder([string] $Path) { return Get-Below ('data\' + $Path.Replace('/', '\')) }

function Get-UniqueName { return [Guid]::NewGuid().ToString('N').Substring(0, 8) }

function Get-HealthyFile([string] $Name) { return Get-Below ('run\' + $Name + '.healthy') }

function Get-LastHealthy([string] $Name) { return Read-Whole (Get-HealthyFile $Name) }

function Read-Whole([string] $File) {
  if ([IO.File]::Exists($File)) { return [IO.File]::ReadAllText($File).Trim() }
  return ''
}

# Writes atomically and flushes to the disk. NullString, because PowerShell turns $null into an empty string.
function Write-Whole([string] $File, [string] $Text) {
  $new = $File + '.new'
  $bytes = [Text.UTF8Encoding]::new($false).GetBytes($Text + [char] 10)
  Invoke-Patiently {
    $stream = [IO.FileStream]::new($new, [IO.FileMode]::Create, [IO.FileAccess]::Write)
    try {
      $stream.Write($bytes, 0, $bytes.Length)
      $stream.Flush($true)
    } finally { $stream.Dispose() }
    if ([IO.File]::Exists($File)) {
      [IO.File]::Replace($new, $File, [NullString]::Value)
    } else { [IO.File]::Move($new, $File) }
  }
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

# The account of an application pool. Windows derives it from the name, so it can be used before the pool exists.
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

# Access for SYSTEM and the administrators, and the given access for the application's two pools only.
function Protect-Folder([string] $Folder, [string] $PoolAccess) {
  $rules = 'D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)'
  foreach ($colour in 'blue', 'green') {
    $rules += '(A;{0};;;{1})' -f $PoolAccess, (Get-PoolSid ($Application + '-' + $colour))
  }
  $security = [Security.AccessControl.DirectorySecurity]::new()
  $security.SetSecurityDescriptorSddlForm($rules, [Security.AccessControl.AccessControlSections]::Access)
  Invoke-Patiently { [IO.Directory]::SetAccessControl($Folder, $security) }
}
