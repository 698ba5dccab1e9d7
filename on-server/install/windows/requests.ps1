# ----------------------------------------------------------------------------------------- requests, tokens, secrets
# A part of install-release.ps1: HTTP requests to the metadata service, Key Vault and the slot.

# The token of the server's identity for a service.
function Get-Token([string] $Resource) {
  $address = $Metadata + '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=' +
    [Uri]::EscapeDataString($Resource)
  if ($Identity -ne '') { $address += '&msi_res_id=' + [Uri]::EscapeDataString($Identity) }
  $transient = '^(0|404|410|429|5[0-9]{2})$'
  $answer = Get-PatientAnswer $address @{ 'Metadata' = 'true' } $transient
  if ($answer.Status -eq 0) {
    Stop-Step 4 ('no token for the identity: no answer from {0} ({1}) for {2} s: is this an Azure virtual machine?' -f
      $Metadata, $Reason, $PrepareSeconds)
  }
  $problem = 'no token for the identity: {0} answered {1}{2}' -f $Metadata, $answer.Status,
    (Get-Detail $answer.Text '"error_description"\s*:\s*"([^"\\]{1,200})')
  if ([string] $answer.Status -cmatch $transient) {
    Stop-Step 4 ('{0} for {1} s: retry later' -f $problem, $PrepareSeconds)
  }
  if ($answer.Status -ne 200) {
    $which = $Identity
    if ($which -eq '') { $which = 'an identity' }
    Stop-Step 4 ('{0}: is {1} assigned to this machine?' -f $problem, $which)
  }
  $problem += ' without a readable access_token'
  $token = Get-JsonText $answer.Text 'access_token' 'retry' $problem
  if ($token -cnotmatch '^[0-9A-Za-z._~+/=-]+\z') { Stop-Step 4 ('{0}: retry' -f $problem) }
  return $token
}

function Get-Secret([string] $Name) {
  $address = 'https://{0}/secrets/{1}?api-version=7.4' -f $KeyVaultHost, $Name
  $headers = @{ 'Authorization' = 'Bearer ' + (Get-Token 'https://vault.azure.net') }
  $answer = Get-PatientAnswer $address $headers '^(0|403|429|5[0-9]{2})$'
  if ($answer.Status -ne 200) {
    Stop-Step 4 ('secret {0} of {1} cannot be read ({2}): does it exist, and may this server read it?' -f
      $Name, $KeyVaultHost, $Reason)
  }
  $problem = 'the answer of {0} about secret {1} is no JSON with a text "value"' -f $KeyVaultHost, $Name
  return Get-JsonText $answer.Text 'value' 'retry' $problem
}

# What an answer says itself, in brackets, or nothing.
function Get-Detail([string] $Text, [string] $Pattern) {
  $match = [regex]::Match($Text, $Pattern)
  if ($match.Success) { return ' ({0})' -f $match.Groups[1].Value }
  return ''
}

# One text of a JSON object. It may be secret, so a failure never quotes it: it has the problem, and the advice.
function Get-JsonText([string] $Json, [string] $Name, [string] $Advice, [string] $Problem) {
  $value = $null
  try {
    $value = (ConvertFrom-Json -InputObject $Json).PSObject.Properties[$Name].Value
  } catch {
    $value = $null
  }
  if ($value -isnot [string] -or $value -eq '') {
    Stop-Step 4 ('{0}: {1}' -f $Problem, $Advice)
  }
  return $value
}

# The time left until the old release may be stopped: for the lock, tokens, the download, secrets and the unpacking.
function Get-SecondsLeft {
  return [Math]::Max(0, $PrepareSeconds - $Clock.Elapsed.TotalSeconds)
}

# For one wait: at least a second, at most this long.
function Get-MillisecondsLeft([int] $AtMost) {
  return [int] [Math]::Min($AtMost, 1000 * [Math]::Max(1, (Get-SecondsLeft)))
}

# Retries with growing pauses while the status is a transient one.
function Get-PatientAnswer([string] $Address, [hashtable] $Headers, [string] $Retry) {
  $pause = 1
  while ($true) {
    $answer = Get-Answer $Address $Headers (Get-MillisecondsLeft 10000) ''
    if ([string] $answer.Status -cnotmatch $Retry -or (Get-SecondsLeft) -le 0) { return $answer }
    Start-Sleep -Milliseconds ([long] (1000 * [Math]::Min($pause, (Get-SecondsLeft))))
    $pause = [Math]::Min(2 * $pause, 30)
  }
}

# One request. Any status is an answer, a redirect too. Without an answer the status is 0, and $Reason is set.
function Get-Answer([string] $Address, [hashtable] $Headers, [int] $Milliseconds, [string] $HostName) {
  $answer = @{ Status = 0; Headers = $null; Text = '' }
  $response = Send-Request ([Uri] $Address) $Headers $Milliseconds $HostName
  if ($null -eq $response) { return $answer }
  try {
    $answer.Text = Read-Answer $response $MaxAnswerBytes $Milliseconds
    if ($answer.Text.Length -gt $MaxAnswerBytes) {
      $script:Reason = 'more than {0} bytes' -f $MaxAnswerBytes
      return $answer
    }
    $answer.Headers = $response.Headers
    $answer.Status = [int] $response.StatusCode
    $script:Reason = 'status {0}' -f $answer.Status
  } catch {
    $script:Reason = $_.Exception.GetBaseException().Message
  } finally { $response.Dispose() }
  return $answer
}

# The text of an answer: more than the limit if there is more.
function Read-Answer($Response, [long] $Limit, [int] $Milliseconds) {
  $memory = [IO.MemoryStream]::new()
  [void] (Copy-Stream ($Response.GetResponseStream()) $memory $Limit $Milliseconds)
  return [Text.Encoding]::UTF8.GetString($memory.ToArray())
}

# .NET throws for a status from 400, with the response in the exception. Without one, returns $null and sets $Reason.
function Send-Request([Uri] $Address, [hashtable] $Headers, [int] $Milliseconds, [string] $HostName) {
  $request = [Net.WebRequest]::Create($Address)
  $request.AllowAutoRedirect = $false
  $request.KeepAlive = $false
  $request.Timeout = $Milliseconds
  $request.ReadWriteTimeout = $Milliseconds
  $request.UserAgent = 'bluegreen-install'
  if ($Address.Scheme -ceq 'http') {
    $request.Proxy = $null # this server itself, or its metadata service
  }
  if ($HostName -ne '') { $request.Host = $HostName }
  foreach ($name in $Headers.Keys) { $request.Headers.Add($name, $Headers[$name]) }
  try {
    return $request.GetResponse()
  } catch {
    for ($cause = $_.Exception; $null -ne $cause; $cause = $cause.InnerException) {
      if ($cause -is [Net.WebException]) {
        $script:Reason = $cause.Message
        return $cause.Response
      }
    }
    throw
  }
}

# Returns the number of bytes: more than the limit if there were too many.
function Copy-Stream($Source, $Target, [long] $Limit, [int] $Milliseconds) {
  $watch = [Diagnostics.Stopwatch]::StartNew()
  $buffer = [byte[]]::new(65536)
  $total = [long] 0
  while ($total -le $Limit) {
    $count = $Source.Read($buffer, 0, $buffer.Length)
    if ($count -le 0) { break }
    $Target.Write($buffer, 0, $count)
    $total += $count
    if ($watch.ElapsedMilliseconds -gt $Milliseconds) {
      throw [TimeoutException]::new('the answer was not complete in time')
    }
  }
  return $total
}
