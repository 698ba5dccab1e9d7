# What the cmdlets of the model remember from run to run: a hashtable for each subject, in the machine's folder.
function global:Read-ModelState([string] $Subject) {
  $file = [ModelOfWindows.Machine]::StateFile("$Subject.json")
  if (-not (Test-Path -LiteralPath $file)) { return @{} }
  return Get-Content -Raw -LiteralPath $file | Microsoft.PowerShell.Utility\ConvertFrom-Json -AsHashtable
}

function global:Write-ModelState([string] $Subject, [hashtable] $Value) {
  $file = [ModelOfWindows.Machine]::StateFile("$Subject.json")
  ConvertTo-Json -Depth 9 $Value | Set-Content -LiteralPath "$file.new"
  Move-Item -LiteralPath "$file.new" -Destination $file -Force
}
