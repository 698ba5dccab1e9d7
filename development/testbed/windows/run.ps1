# Runs scripts as `powershell -File SCRIPT -StepName STEP -Parameters TEXT` does on Windows. Each line on stdin is one run:
# JSON with `script`, `step`, `parameters` and `settings` (environment variables of the model). The answer is a line of JSON.
# The names of .NET's types that differ on Windows are given to the model's; so the script's text stays as it is.
Add-Type -Path "$env:WINDOWS_MODEL/ModelOfWindows.dll"
$accelerators = [psobject].Assembly.GetType('System.Management.Automation.TypeAccelerators')
$types = @(
  'Environment', 'IO.Compression.ZipFile', 'IO.Compression.ZipFileExtensions', 'IO.Directory', 'IO.DirectoryInfo', 'IO.DriveInfo'
  'IO.File', 'IO.FileStream', 'IO.Path', 'IO.StreamWriter', 'Net.WebRequest', 'Security.AccessControl.AccessControlSections'
  'Security.AccessControl.DirectorySecurity', 'Xml.XmlDocument'
)
foreach ($type in $types) { $accelerators::Add($type, ('ModelOfWindows.' + ($type -replace '^.*\.', '')) -as [type]) }
foreach ($cmdlets in Get-ChildItem "$PSScriptRoot/cmdlets/*.ps1") { . $cmdlets.FullName }
while ($null -ne ($line = [Console]::In.ReadLine())) {
  $run = Microsoft.PowerShell.Utility\ConvertFrom-Json -InputObject $line -AsHashtable
  foreach ($name in $run.settings.Keys) { Set-Item -LiteralPath "Env:$name" $run.settings[$name] }
  [ModelOfWindows.Effects]::Begin()
  $failure = ''
  $code = 1
  $lines = @()
  try {
    $lines = @(& $run.script -StepName $run.step -Parameters $run.parameters)
    $code = $LASTEXITCODE
  } catch { $failure = [string] $_ }
  [Console]::Out.WriteLine((ConvertTo-Json -Compress @{ code = $code; lines = [string[]] $lines; failure = $failure }))
}
