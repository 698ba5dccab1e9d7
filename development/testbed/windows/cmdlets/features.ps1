# The module ServerManager, and services: IIS as Windows installs it, with its default site and its firewall rules.
# WINDOWS_FEATURES=fail: Windows refuses to install; =restart: it asks for a restart.
$global:ModelIis = '{
  "sites": [{
    "name": "Default Web Site", "id": 1, "serverAutoStart": true,
    "bindings": [{ "information": "*:80:", "protocol": "http" }],
    "applications": [{
      "path": "/", "applicationPool": "DefaultAppPool",
      "virtualDirectories": [{ "path": "/", "physicalPath": "C:\\inetpub\\wwwroot" }]
    }]
  }],
  "pools": [{
    "name": "DefaultAppPool", "autoStart": true, "startMode": "OnDemand", "managedRuntimeVersion": "v4.0",
    "pipelineMode": "Integrated", "identityType": "ApplicationPoolIdentity", "idleTimeout": "00:20:00",
    "shutdownTimeLimit": "00:01:30", "periodicRestart": "1.05:00:00", "disallowOverlap": false
  }],
  "locations": {}
}'

function global:Install-WindowsFeature {
  [CmdletBinding()] param([string[]] $Name)
  [ModelOfWindows.Effects]::Reach('Install-WindowsFeature')
  if ($env:WINDOWS_FEATURES -eq 'fail') {
    return [pscustomobject] @{ Success = $false; RestartNeeded = 'No'; ExitCode = 'Failed' }
  }
  $folder = "$env:WINDOWS_ROOT/C/Windows/system32/inetsrv"
  [void] (New-Item -ItemType Directory -Force $folder)
  Microsoft.PowerShell.Management\Copy-Item "$env:WINDOWS_MODEL/Microsoft.Web.Administration.dll" $folder
  $configuration = [ModelOfWindows.Machine]::StateFile('iis.json')
  if (-not (Test-Path -LiteralPath $configuration)) {
    $rules = Read-ModelState 'firewall'
    foreach ($rule in 'HTTP', 'HTTPS') { $rules["IIS-WebServerRole-$rule-In-TCP"] = @{ Enabled = 'True' } }
    Write-ModelState 'firewall' $rules
    Set-Content -LiteralPath "$configuration.new" $ModelIis
    Move-Item -LiteralPath "$configuration.new" -Destination $configuration
  }
  [ModelOfWindows.Effects]::Reach('Install-WindowsFeature ended')
  $restart = if ($env:WINDOWS_FEATURES -eq 'restart') { 'Yes' } else { 'No' }
  return [pscustomobject] @{ Success = $true; RestartNeeded = $restart; ExitCode = 'Success' }
}

function global:Set-Service {
  [CmdletBinding()] param([string] $Name, [ValidateSet('Automatic', 'Manual', 'Disabled')] [string] $StartupType)
  [ModelOfWindows.Effects]::Reach("Set-Service $Name")
}

function global:Start-Service {
  [CmdletBinding()] param([string] $Name)
  [ModelOfWindows.Effects]::Reach("Start-Service $Name")
}
