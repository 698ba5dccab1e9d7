# ---------------------------------------------------------------------------------------------------- the slot in IIS
# A part of install-release.ps1: the slot's site and application pool in IIS.

# Points the slot's site and pool to a release (or removes them, if it is empty) in one commit.
function Set-Slot([string] $Release, [bool] $Runs) {
  Invoke-Patiently {
    $manager = [Microsoft.Web.Administration.ServerManager]::new()
    try {
      if ($Release -eq '') {
        Remove-SlotSite $manager
      } else {
        Set-SlotPool $manager $Runs
        Set-SlotSite $manager (Get-Below ('releases\' + $Release))
      }
      $manager.CommitChanges()
    } finally { $manager.Dispose() }
  }
  if ($Release -eq '') { Close-Port }
}

# A pool that runs already gets a changed STOP_SECONDS, too.
function Set-StopLimit {
  Invoke-Patiently {
    $manager = [Microsoft.Web.Administration.ServerManager]::new()
    try {
      $pool = $manager.ApplicationPools[$SiteName]
      $limit = [TimeSpan]::FromSeconds($StopSeconds)
      if ($null -ne $pool -and $pool.ProcessModel.ShutdownTimeLimit -ne $limit) {
        $pool.ProcessModel.ShutdownTimeLimit = $limit
        $manager.CommitChanges()
        Start-Sleep -Seconds 2 # IIS follows a moment later, and a stop has the limit that it knows then
      }
    } finally { $manager.Dispose() }
  }
}

# Always warm: no idle time-out, no periodic restart. A pool that stops gives its requests STOP_SECONDS to end.
function Set-SlotPool($Manager, [bool] $Runs) {
  $pool = $Manager.ApplicationPools[$SiteName]
  if ($null -eq $pool) { $pool = $Manager.ApplicationPools.Add($SiteName) }
  $pool.AutoStart = $Runs
  $pool.ManagedRuntimeVersion = 'v4.0'
  $pool.ManagedPipelineMode = 'Integrated'
  $pool.SetAttributeValue('startMode', 'AlwaysRunning')
  $pool.ProcessModel.IdentityType = 'ApplicationPoolIdentity'
  $pool.ProcessModel.IdleTimeout = [TimeSpan]::Zero
  $pool.ProcessModel.ShutdownTimeLimit = [TimeSpan]::FromSeconds($StopSeconds)
  $pool.Recycling.PeriodicRestart.Time = [TimeSpan]::Zero
  $pool.Recycling.DisallowOverlappingRotation = $false
}

# The site's id is its port: the same on each server, and unique, as the port is.
function Set-SlotSite($Manager, [string] $Folder) {
  $site = $Manager.Sites[$SiteName]
  if ($null -eq $site) { $site = $Manager.Sites.Add($SiteName, 'http', (Get-Binding), $Folder) }
  $site.Id = $Port
  $site.ServerAutoStart = $true
  $site.Bindings.Clear()
  [void] $site.Bindings.Add((Get-Binding), 'http')
  $root = $site.Applications['/']
  $root.ApplicationPoolName = $SiteName
  $root.SetAttributeValue('preloadEnabled', $true)
  $root.VirtualDirectories['/'].PhysicalPath = $Folder
  foreach ($old in @($root.VirtualDirectories | Where-Object { $_.Path -ne '/' })) {
    $root.VirtualDirectories.Remove($old)
  }
  foreach ($path in $SharedFolders) {
    [void] $root.VirtualDirectories.Add('/' + $path, (Get-SharedFolder $path))
  }
  # Otherwise static files are read as IUSR, which has no access to a release.
  $section = 'system.webServer/security/authentication/anonymousAuthentication'
  $Manager.GetApplicationHostConfiguration().GetSection($section, $SiteName).SetAttributeValue('userName', '')
}

function Remove-SlotSite($Manager) {
  if ($null -ne $Manager.Sites[$SiteName]) { $Manager.Sites.Remove($Manager.Sites[$SiteName]) }
  if ($null -ne $Manager.ApplicationPools[$SiteName]) {
    $Manager.ApplicationPools.Remove($Manager.ApplicationPools[$SiteName])
  }
}

# IIS throws until it has the state of a new commit.
function Start-Slot {
  try {
    Invoke-Patiently {
      $manager = [Microsoft.Web.Administration.ServerManager]::new()
      try {
        $pool = $manager.ApplicationPools[$SiteName]
        if ($pool.State -ne 'Started') { [void] $pool.Start() }
        $site = $manager.Sites[$SiteName]
        if ($site.State -ne 'Started') { [void] $site.Start() }
      } finally { $manager.Dispose() }
    }
  } catch {
    Stop-Step 4 ('site {0} cannot be started: {1}: see the event log of the server' -f
      $SiteName, $_.Exception.GetBaseException().Message)
  }
}

# IIS waits for running requests as long as the pool is configured to, then it ends the process.
function Stop-Slot {
  Set-StopLimit
  $watch = [Diagnostics.Stopwatch]::StartNew()
  $state = 'no state'
  while ($watch.Elapsed.TotalSeconds -lt $StopSeconds + 30) {
    $manager = [Microsoft.Web.Administration.ServerManager]::new()
    try {
      $pool = $manager.ApplicationPools[$SiteName]
      if ($null -eq $pool -or ($pool.State -eq 'Stopped' -and $pool.WorkerProcesses.Count -eq 0)) { return }
      $state = $pool.State
      if ($state -eq 'Started') { [void] $pool.Stop() }
    } catch {
      $state = $_.Exception.GetBaseException().Message
    } finally { $manager.Dispose() }
    Start-Sleep -Milliseconds 250
  }
  Stop-Step 1 ('slot {0} cannot be stopped, its pool reports "{1}": check the server' -f $Slot, $state)
}

# All sites of this server, with their folders and bindings.
function Get-Sites {
  $manager = [Microsoft.Web.Administration.ServerManager]::new()
  try {
    $sites = foreach ($site in $manager.Sites) {
      $directories = $site.Applications | ForEach-Object { $_.VirtualDirectories }
      $folders = $directories | ForEach-Object { [string] $_.PhysicalPath }
      $bindings = $site.Bindings | ForEach-Object { [string] $_.BindingInformation }
      @{ Name = $site.Name; Folders = @($folders); Bindings = $bindings -join ' ' }
    }
    return $sites
  } finally { $manager.Dispose() }
}

function Get-LinkedRelease([string] $Name) {
  foreach ($site in (Get-Sites)) {
    foreach ($folder in $site.Folders) {
      if ($site.Name -eq $Name -and [IO.Path]::GetDirectoryName($folder) -eq (Get-Below 'releases')) {
        return [IO.Path]::GetFileName($folder)
      }
    }
  }
  return ''
}

function Get-Binding {
  if ($BindAddress -eq '0.0.0.0') { return '*:{0}:' -f $Port }
  return '{0}:{1}:' -f $BindAddress, $Port
}

# Only this slot's site may listen on the port. 4 is the process of Windows that listens for all sites.
function Confirm-PortFree {
  foreach ($site in (Get-Sites)) {
    if ($site.Name -ne $SiteName -and $site.Bindings.Contains((':{0}:' -f $Port))) {
      Stop-Step 3 ('port {0} on {1} is taken by site {2}, which is not slot {3}: {4}' -f $Port, $BindAddress,
        $site.Name, $Slot, 'stop it, or choose another port')
    }
  }
  foreach ($listener in (Get-NetTCPConnection -State Listen -LocalPort $Port -ErrorAction SilentlyContinue)) {
    if ($listener.OwningProcess -ne 4) {
      Stop-Step 3 ('port {0} on {1} is taken by process {2}, which is not slot {3}: {4}' -f $Port, $BindAddress,
        $listener.OwningProcess, $Slot, 'stop it, or choose another port')
    }
  }
}

# Only the proxies may connect to the slot.
function Open-Port {
  $script:Phase = 'setting the firewall'
  $rule = @{
    Name = 'bluegreen-' + $SiteName
    Direction = 'Inbound'
    Action = 'Allow'
    Protocol = 'TCP'
    LocalPort = [string] $Port
    RemoteAddress = $AllowedSources
    Profile = 'Any'
    Enabled = 'True'
  }
  $script:Opened = $true
  Invoke-Patiently {
    if ($null -eq (Get-NetFirewallRule -Name $rule.Name -ErrorAction SilentlyContinue)) {
      [void] (New-NetFirewallRule -DisplayName $rule.Name @rule)
    } else { Set-NetFirewallRule @rule }
  }
}

function Close-Port {
  Invoke-Patiently {
    if ($null -ne (Get-NetFirewallRule -Name ('bluegreen-' + $SiteName) -ErrorAction SilentlyContinue)) {
      Remove-NetFirewallRule -Name ('bluegreen-' + $SiteName)
    }
  }
}

# The application's files outlive its releases. A new shared folder starts with the release's files. One that exists
# is not changed, even if it is empty: it belongs to the other slot, too, which users may be on.
function Initialize-SharedFolders {
  $script:Phase = 'preparing the shared folders'
  foreach ($path in $SharedFolders) {
    $shared = Get-SharedFolder $path
    $source = [IO.Path]::Combine((Get-Below ('releases\' + $ReleaseId)), $path.Replace('/', '\'))
    if (-not [IO.Directory]::Exists($shared)) {
      $seed = Get-Below ('data\.seed-' + (Get-UniqueName))
      [void] [IO.Directory]::CreateDirectory($seed)
      Protect-Folder $seed 'OICI;0x1301bf'
      if ([IO.Directory]::Exists($source)) {
        Get-ChildItem -LiteralPath $source -Force | Copy-Item -Destination $seed -Recurse -Force
      }
      [void] [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($shared))
      Invoke-Patiently { [IO.Directory]::Move($seed, $shared) }
    }
  }
}
