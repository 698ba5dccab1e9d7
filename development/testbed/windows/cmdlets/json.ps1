# ConvertFrom-Json as in PowerShell 5.1: a whole number is an [int] where it fits, a date stays a text, and names that
# differ only by case are refused (7 refuses them, too).
function global:ConvertFrom-Json {
  [CmdletBinding()] param([Parameter(Mandatory)] [string] $InputObject)

  function ConvertTo-Int($Value) {
    if ($Value -is [long] -and $Value -ge [int]::MinValue -and $Value -le [int]::MaxValue) { return [int] $Value }
    if ($Value -is [Management.Automation.PSCustomObject]) {
      foreach ($property in $Value.PSObject.Properties) { $property.Value = ConvertTo-Int $property.Value }
    } elseif ($Value -is [array]) {
      for ($index = 0; $index -lt $Value.Length; $index++) { $Value[$index] = ConvertTo-Int $Value[$index] }
    }
    return , $Value
  }
  return ConvertTo-Int (Microsoft.PowerShell.Utility\ConvertFrom-Json -InputObject $InputObject -DateKind String -NoEnumerate)
}
