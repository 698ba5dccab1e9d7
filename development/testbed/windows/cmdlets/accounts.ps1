# The module Microsoft.PowerShell.LocalAccounts.
function global:Get-LocalUser {
  [CmdletBinding()] param([string] $Name)
  if (-not (Read-ModelState 'accounts').ContainsKey($Name)) {
    Write-Error "User $Name was not found."
    return
  }
  return [pscustomobject] @{ Name = $Name }
}

function global:Set-LocalUser {
  [CmdletBinding()] param([string] $Name, [securestring] $Password)
  [ModelOfWindows.Effects]::Reach("Set-LocalUser $Name")
  $accounts = Read-ModelState 'accounts'
  $accounts[$Name] = [Net.NetworkCredential]::new('', $Password).Password
  Write-ModelState 'accounts' $accounts
}
