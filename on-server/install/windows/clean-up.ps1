# ----------------------------------------------------------------------------------------------------------- clean up
# A part of install-release.ps1: old releases go, but for those that are in use.

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
