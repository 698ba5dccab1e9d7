# Runs a script as `powershell -File SCRIPT -StepName STEP -Parameters TEXT` does on Windows: run.ps1 SCRIPT STEP TEXT.
# The names of .NET's types that differ on Windows are given to the model's; so the script's text stays as it is.
$script, $step, $given = $args
Add-Type -Path "$env:WINDOWS_MODEL/ModelOfWindows.dll"
$accelerators = [psobject].Assembly.GetType('System.Management.Automation.TypeAccelerators')
$types = @(
  'Environment', 'IO.Compression.ZipFile', 'IO.Compression.ZipFileExtensions', 'IO.Directory', 'IO.DirectoryInfo', 'IO.DriveInfo'
  'IO.File', 'IO.FileStream', 'IO.Path', 'IO.StreamWriter', 'Net.WebRequest', 'Security.AccessControl.AccessControlSections'
  'Security.AccessControl.DirectorySecurity', 'Xml.XmlDocument'
)
foreach ($type in $types) { $accelerators::Add($type, ('ModelOfWindows.' + ($type -replace '^.*\.', '')) -as [type]) }
foreach ($cmdlets in Get-ChildItem "$PSScriptRoot/cmdlets/*.ps1") { . $cmdlets.FullName }
& $script -StepName $step -Parameters $given
exit $LASTEXITCODE
