# The module NetTCPIP: who listens on a port. For all sites of IIS that is the kernel, process 4.
$global:ModelListening = '0A' # a state in /proc/net/tcp
$global:ModelOtherProcess = 4321

function global:Get-NetTCPConnection {
  [CmdletBinding()] param([string] $State, [int] $LocalPort)
  $port = ':{0:X4}' -f $LocalPort
  $listens = Get-Content -LiteralPath /proc/net/tcp | Where-Object {
    $fields = $_.Trim() -split ' +'
    $fields[1].EndsWith($port) -and $fields[3] -eq $ModelListening
  }
  if (-not $listens) {
    Write-Error 'No MSFT_NetTCPConnection objects found.'
    return
  }
  $ports = (Invoke-WebRequest -Uri "http://127.0.0.1:$env:WINDOWS_ACTIVATION_PORT/ports").Content -split ' '
  $process = if ($ports -contains [string] $LocalPort) { 4 } else { $ModelOtherProcess }
  return [pscustomobject] @{ LocalPort = $LocalPort; OwningProcess = $process }
}
