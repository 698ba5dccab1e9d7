# The module NetSecurity: rules of the firewall, by their names. They are kept; no packet is filtered.
function global:Get-NetFirewallRule {
  [CmdletBinding()] param([string] $Name)
  $rules = Read-ModelState 'firewall'
  $found = @($rules.Keys | Where-Object { $_ -like $Name })
  if ($found.Count -eq 0) { Write-Error "No MSFT_NetFirewallRule objects found with property 'InstanceID' equal to '$Name'." }
  foreach ($one in $found) { [pscustomobject] @{ Name = $one; Enabled = $rules[$one].Enabled } }
}

function global:New-NetFirewallRule {
  [CmdletBinding()] param(
    [Parameter(Mandatory)] [string] $DisplayName,
    [string] $Name,
    [ValidateSet('Inbound', 'Outbound')] [string] $Direction,
    [ValidateSet('Allow', 'Block')] [string] $Action,
    [string] $Protocol,
    [string[]] $LocalPort,
    [string[]] $RemoteAddress,
    [ValidateSet('Any')] [string] $Profile,
    [ValidateSet('True', 'False')] [string] $Enabled
  )
  [ModelOfWindows.Effects]::Reach("New-NetFirewallRule $Name")
  $rules = Read-ModelState 'firewall'
  if ($rules.ContainsKey($Name)) { throw 'Cannot create a file when that file already exists.' }
  $rules[$Name] = @{ Port = $LocalPort; Sources = $RemoteAddress; Enabled = $Enabled }
  Write-ModelState 'firewall' $rules
  return [pscustomobject] @{ Name = $Name }
}

function global:Set-NetFirewallRule {
  [CmdletBinding()] param(
    [Parameter(Mandatory)] [string] $Name,
    [ValidateSet('Inbound', 'Outbound')] [string] $Direction,
    [ValidateSet('Allow', 'Block')] [string] $Action,
    [string] $Protocol,
    [string[]] $LocalPort,
    [string[]] $RemoteAddress,
    [ValidateSet('Any')] [string] $Profile,
    [ValidateSet('True', 'False')] [string] $Enabled
  )
  [ModelOfWindows.Effects]::Reach("Set-NetFirewallRule $Name")
  $rules = Read-ModelState 'firewall'
  $rules[$Name] = @{ Port = $LocalPort; Sources = $RemoteAddress; Enabled = $Enabled }
  Write-ModelState 'firewall' $rules
}

function global:Remove-NetFirewallRule {
  [CmdletBinding()] param([Parameter(Mandatory)] [string] $Name)
  [ModelOfWindows.Effects]::Reach("Remove-NetFirewallRule $Name")
  $rules = Read-ModelState 'firewall'
  if (-not $rules.ContainsKey($Name)) {
    Write-Error "No MSFT_NetFirewallRule objects found with property 'InstanceID' equal to '$Name'."
    return
  }
  $rules.Remove($Name)
  Write-ModelState 'firewall' $rules
}

function global:Disable-NetFirewallRule {
  [CmdletBinding()] param([Parameter(ValueFromPipelineByPropertyName)] [string] $Name)
  process {
    [ModelOfWindows.Effects]::Reach("Disable-NetFirewallRule $Name")
    $rules = Read-ModelState 'firewall'
    $rules[$Name].Enabled = 'False'
    Write-ModelState 'firewall' $rules
  }
}
