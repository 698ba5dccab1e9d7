# ------------------------------------------------------------------------------------------------------------- health
# A part of install-release.ps1: waits until the slot serves the release.

# Whether the slot already runs the release, with the same parameters: then it is not touched. It may still be starting
# (in the second run after a crash), so it gets a third of the deadline.
function Test-AlreadyHealthy {
  $script:Phase = 'checking what runs in slot ' + $Slot
  if ((Get-LinkedRelease $SiteName) -cne $ReleaseId -or (Get-PoolState) -ne 'Started') { return $false }
  Set-StopLimit
  foreach ($site in (Get-Sites)) {
    if ($site.Name -eq $SiteName -and $site.Bindings -cne (Get-Binding)) { return $false }
  }
  return Wait-Healthy $ReleaseId (1000 * $DeadlineSeconds / 3)
}

function Get-PoolState {
  $manager = [Microsoft.Web.Administration.ServerManager]::new()
  try {
    return [string] $manager.ApplicationPools[$SiteName].State
  } catch {
    return ''
  } finally { $manager.Dispose() }
}

# The first request of a page compiles it, so it is sent before users come.
function Wait-Warm([long] $Milliseconds) {
  $watch = [Diagnostics.Stopwatch]::StartNew()
  foreach ($page in $WarmUp) {
    while ($true) {
      $rest = $Milliseconds - $watch.ElapsedMilliseconds
      if ($rest -le 0) { return $false }
      $answer = Get-Page $page.Path ([Math]::Min($rest, 60000))
      if ($answer.Status -eq $page.Status -and $answer.Text.Contains($page.Holds)) { break }
      $script:Reason = '{0} answered with {1}, expected status {2} and "{3}"' -f
        $page.Path, $Reason, $page.Status, $page.Holds
      Start-Sleep -Milliseconds 500
    }
  }
  return $true
}

# HEALTH_SUCCESSES good answers in a row, or $false and $Reason.
function Wait-Healthy([string] $Release, [long] $Milliseconds) {
  $watch = [Diagnostics.Stopwatch]::StartNew()
  $good = 0
  $script:Reason = ''
  while ($true) {
    $rest = $Milliseconds - $watch.ElapsedMilliseconds
    if ($rest -le 0) { return $false }
    $before = $Reason
    if (Test-Health $Release ([Math]::Min($rest, $TimeoutMs))) {
      $good++
      if ($good -ge $HealthSuccesses) { return $true }
      $script:Reason = '{0} gave {1} good answers in a row, and {2} are required' -f
        $HealthPath, $good, $HealthSuccesses
    } else {
      $good = 0
      # The deadline ended this request early: the reason of the one before it is better.
      if ($before -ne '' -and $rest -lt $TimeoutMs -and $watch.ElapsedMilliseconds -ge $Milliseconds) {
        $script:Reason = $before
      }
    }
    $rest = [Math]::Max(0, $Milliseconds - $watch.ElapsedMilliseconds)
    Start-Sleep -Milliseconds ([Math]::Min($rest, $IntervalMs))
  }
}

# Checks the status and the release that answers: in one header, or by its name in the body.
function Test-Health([string] $Release, [int] $Milliseconds) {
  $answer = Get-Page $HealthPath $Milliseconds
  if ($answer.Status -eq 0) {
    $script:Reason = 'no answer on http://{0}:{1} ({2})' -f (Get-ProbeAddress), $Port, $Reason
    return $false
  }
  if ($answer.Status -ne $HealthStatus) {
    $script:Reason = '{0} answered {1}, expected {2}' -f $HealthPath, $answer.Status, $HealthStatus
    return $false
  }
  if ($ReleaseHeader -ne '') {
    $seen = @($answer.Headers.GetValues($ReleaseHeader)) -join ', '
    $script:Reason = '{0} reports release "{1}" in {2}, expected "{3}"' -f $HealthPath, $seen, $ReleaseHeader, $Release
    return $seen -ceq $Release
  }
  $script:Reason = 'the body of {0} does not name release "{1}" (it begins "{2}")' -f $HealthPath, $Release,
    $answer.Text.Substring(0, [Math]::Min(60, $answer.Text.Length))
  $named = '(^|[^0-9A-Za-z._-])' + [regex]::Escape($Release) + '($|[^0-9A-Za-z._-]|\.($|[^0-9A-Za-z]))'
  return $answer.Text -cmatch $named
}

function Get-Page([string] $Path, [int] $Milliseconds) {
  return Get-Answer ('http://{0}:{1}{2}' -f (Get-ProbeAddress), $Port, $Path) @{} $Milliseconds $HealthHost
}

function Get-ProbeAddress {
  if ($BindAddress -eq '0.0.0.0') { return '127.0.0.1' }
  return $BindAddress
}
