# ----------------------------------------------------------------------------------------------------------- clean up
# A part of install-release.ps1: removes old releases that are not in use.

# What killed installs left. Only one install runs at a time, so nothing of it is in use. A failure is ignored.
function Remove-LeftOvers {
  foreach ($pattern in 'releases\.staging-*', 'releases\.trash-*', 'data\.seed-*', 'downloads\*') {
    try {
      Remove-Item -Path (Get-Below $pattern) -Recurse -Force -ErrorAction SilentlyContinue
    } catch {
      # The next run tries again.
    }
  }
}

# Keeps the newest KEEP_RELEASES by their run, and all that are in use. A failure is ignored.
function Remove-OldReleases {
  $script:Phase = 'cleaning up'
  try {
    Remove-LeftOvers
    $ids = [IO.DirectoryInfo]::new((Get-Below 'releases')).GetDirectories() |
      ForEach-Object { $_.Name } |
      Where-Object { $_ -cmatch '-[0-9]+$' } |
      Sort-Object -Descending -Property { [decimal] ($_ -replace '^.*-', '') }
    foreach ($id in ($ids | Select-Object -Skip $KeepReleases)) {
      if (-not (Test-InUse $id)) { Remove-Folder (Get-Below ('releases\' + $id)) }
    }
  } catch {
    # The release is installed; the next run removes the rest.
  }
}

# Whether a site serves files of it, a slot was last healthy with it, or the caller protects it.
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

# Renames first: a half removed folder must not look like a release. Locked files stay until the next clean-up.
function Remove-Folder([string] $Folder) {
  $trash = Get-Below ('releases\.trash-' + (Get-UniqueName))
  try {
    Invoke-Patiently { [IO.Directory]::Move($Folder, $trash) }
    Invoke-Patiently { Remove-Item -LiteralPath $trash -Recurse -Force }
  } catch {
    # A file in it stays locked.
  }
}
