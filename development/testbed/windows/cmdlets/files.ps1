# The drive C:, and the cmdlets that change files there: each is a side effect.
if (-not (Get-PSDrive -Name C -ErrorAction SilentlyContinue)) {
  [void] (New-PSDrive -Name C -PSProvider FileSystem -Root "$env:WINDOWS_ROOT/C" -Scope Global)
}

function global:Remove-Item {
  [ModelOfWindows.Effects]::Reach("Remove-Item $args")
  Microsoft.PowerShell.Management\Remove-Item @args
}

function global:Copy-Item {
  [ModelOfWindows.Effects]::Reach("Copy-Item $args")
  $input | Microsoft.PowerShell.Management\Copy-Item @args
}
