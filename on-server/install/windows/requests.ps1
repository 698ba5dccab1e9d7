# ----------------------------------------------------------------------------------------- requests, tokens, secrets
# A part of install-release.ps1: HTTP requests to the metadata service, Key Vault and the slot.

# The token of the server's identity for a service.
function Get-Token([string] $Resource) {
  $address = $MetadataAddress + '?api-version=2018-02-01&resource=' + [Uri]::EscapeDataString($Resource)
  if ($Identity -ne '') { $address += '&msi_res_id=' + [Uri]::EscapeDataString($Identity) }
  $answer = Get-PatientAnswer $address @{ 'Metadata' = 'true' } '^(0|404|410|429|5[0-9]{2})$'
  if ($answer.Status -ne 200) {
    Stop-Step 1 ('no token for {0} ({1}): is the identity assigned to this server?' -f $Resource, $Reason)
  }
  return Get-JsonText $answer.Text 'access_token' 'the answer of the metadata service' 'retry'
}

function Get-Secret([string] $Name) {
  $address = 'https://{0}/secrets/{1}?api-version=7.4' -f $KeyVaultHost, $Name
  $headers = @{ 'Authorization' = 'Bearer ' + (Get-Token 'https://vault.azure.net') }
  $answer = Get-PatientAnswer $address $headers '^(0|403|429|5[0-9]{2})$'
  if ($answer.Status -ne 200) {
    Stop-Step 1 ('secret {0} of {1} cannot be read ({2}): does it exist, and may this server read it?' -f
      $Name, $KeyVaultHost, $Reason)
  }
  return Get-JsonText $answer.Text 'value' ('the answer of {0} about secret {1}' -f $KeyVaultHost, $Name) 'retry'
}

# One text of a JSON object. It may be secret, so a failure never quotes it: it has what the object is, and the advice.
function Get-JsonText([string] $Json, [string] $Name, [string] $What, [string] $Advice) {
  $value = $null
  try {
    $value = (ConvertFrom-Json -InputObject $Json).PSObject.Properties[$Name].Value
  } catch {
    $value = $null
  }
  if ($value -isnot [string] -or $value -eq '') {
    Stop-Step 1 ('{0} is no JSON with a text "{1}": {2}' -f $What, $Name, $Advice)
  }
  return $value
}

# Retries with growing pauses while the status is a transient one.
function Get-PatientAnswer([string] $Address, [hashtable] $Headers, [string] $Retry) {
  $watch = [Diagnostics.Stopwatch]::StartNew()
  $pause = 1
  while ($true) {
    $answer = Get-Answer $Address $Headers 10000 ''
    if ([string] $answer.Status -cnotmatch $Retry -or $watch.Elapsed.TotalSeconds -gt $PatienceSeconds) {
      return $answer
    }
    Start-Sleep -Seconds $pause
    $pause = [Math]::Min(2 * $pause, 30)
  }
}

# One request. Any status is an answer, a redirect too. Without an answer the status is 0, and $Reason is set.
function Get-Answer([string] $Address, [hashtable] $Headers, [int] $Milliseconds, [string] $HostName) {
  $answer = @{ Status = 0; Headers = $null; Text = '' }
  $response = Send-Request ([Uri] $Address) $Headers $Milliseconds $HostName
  if ($null -eq $response) { return $answer }
  $memory = [IO.MemoryStream]::new()
  try {
    if ((Copy-Stream ($response.GetResponseStream()) $memory $MaxAnswerBytes $Milliseconds) -gt $MaxAnswerBytes) {
      $script:Reason = 'more than {0} bytes' -f $MaxAnswerBytes
      return $answer
    }
    $answer.Text = [Text.Encoding]::UTF8.GetString($memory.ToArray())
    $answer.Headers = $response.Headers
    $answer.Status = [int] $response.StatusCode
    $script:Reason = 'status {0}' -f $answer.Status
  } catch {
    $script:Reason = $_.Exception.GetBaseException().Message
  } finally { $response.Dispose() }
  return $answer
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
