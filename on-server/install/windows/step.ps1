# ----------------------------------------------------------------------------- a step: its parameters and failures
# A part of install-release.ps1 and of setup-iis.ps1.

$RefusedSeconds = 30
$Refused = [Diagnostics.Stopwatch]::new() # runs while a refused change waits for its next attempt

# Ends the step with this exit code. It throws, so that the rollback comes before the message.
function Stop-Step([int] $Code, [string] $Text) {
  $failure = [InvalidOperationException]::new($Text)
  $failure.Data['ExitCode'] = $Code
  throw $failure
}

function Get-ExitCode($Failure) {
  for ($cause = $Failure.Exception; $null -ne $cause; $cause = $cause.InnerException) {
    if ($cause.Data.Contains('ExitCode')) { return $cause.Data['ExitCode'] }
  }
  return 1
}

# Whether the step itself has decided so. Everything else was refused by Windows, or is unexpected.
function Test-Decided($Failure) {
  return $Failure.Exception.GetBaseException().Data.Contains('ExitCode')
}

# What Windows may refuse for a moment, because a scanner holds a file, or IIS or the firewall is busy: a change that
# can be made again from its start. All changes of a run share one limit, so refusals can't use up the step's time.
function Invoke-Patiently($Change) {
  while ($true) {
    try {
      return & $Change
    } catch {
      $full = $_.Exception.GetBaseException().HResult -in -2147024784, -2147024857 # a full disk stays full
      if ((Test-Decided $_) -or $full -or $Refused.Elapsed.TotalSeconds -gt $RefusedSeconds) { throw }
    }
    $Refused.Start()
    Start-Sleep -Milliseconds (Get-Random -Minimum 200 -Maximum 1000)
    $Refused.Stop()
  }
}

function Get-FailureText($Failure) {
  $text = $Failure.Exception.GetBaseException().Message
  if (-not (Test-Decided $Failure)) {
    $text = 'unexpected failure while {0}, line {1}: {2}: check the server, then retry' -f
      $Phase, $Failure.InvocationInfo.ScriptLineNumber, $text
  }
  return $text -replace '[^ -~]', '?'
}

# Fills $Given from $Parameters: base64 of a JSON object of strings, so nothing needs quotes on the way.
function Read-Given {
  if ($StepName -cnotmatch '^[0-9A-Za-z._-]{1,80}\z') {
    Stop-Step 2 'StepName must be 1 to 80 letters, digits, dots, _ and -'
  }
  $object = $null
  try {
    $bytes = [Convert]::FromBase64String($Parameters)
    $object = ConvertFrom-Json -InputObject ([Text.UTF8Encoding]::new($false, $true).GetString($bytes))
  } catch {
    Stop-Step 2 'Parameters is not base64 of JSON: give it a JSON object of strings'
  }
  if ($object -isnot [Management.Automation.PSCustomObject]) {
    Stop-Step 2 'Parameters is not a JSON object: give it a JSON object of strings'
  }
  foreach ($property in $object.PSObject.Properties) {
    if ($property.Value -isnot [string]) {
      Stop-Step 2 'Parameters has a value that is not a string: give it a JSON object of strings'
    }
    $Given[$property.Name] = $property.Value
  }
}

# Exit 2 unless the parameter (or its default, if it is empty) matches.
function Read-Parameter([string] $Name, [string] $Default, [int] $MaxLength, [string] $Pattern, [string] $What) {
  $value = $Given[$Name]
  if ($null -eq $value -or $value -eq '') { $value = $Default }
  return Confirm-Text $Name $value $MaxLength $Pattern $What
}

# In .NET, "$" also matches before a last line feed: so unprintable characters are refused before any pattern.
function Confirm-Text([string] $Name, $Value, [int] $MaxLength, [string] $Pattern, [string] $What) {
  if ($Value -isnot [string] -or $Value.Length -gt $MaxLength -or $Value -cnotmatch '^[ -~]*\z' -or
    $Value -cnotmatch $Pattern) {
    Deny-Value $Name ([string] $Value) $What
  }
  return $Value
}

function Deny-Value([string] $Name, [string] $Value, [string] $What) {
  $shown = $Value.Substring(0, [Math]::Min(60, $Value.Length))
  Stop-Step 2 ('{0} is "{1}" but must be {2}: correct it in the environment or the record' -f $Name, $shown, $What)
}
