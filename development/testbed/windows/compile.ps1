# Compiles the model's two libraries into a folder: compile.ps1 FOLDER.
$ErrorActionPreference = 'Stop'
$folder = $args[0]
$common = @{ OutputType = 'Library'; IgnoreWarnings = $true; WarningAction = 'SilentlyContinue' }
Add-Type -Path (Get-ChildItem "$PSScriptRoot/types/*.cs") -OutputAssembly "$folder/ModelOfWindows.dll" @common
$references = @("$folder/ModelOfWindows.dll") + @(
  'System.Collections', 'System.Linq', 'System.Management.Automation', 'System.Memory', 'System.Net.Http'
  'System.Net.Primitives', 'System.Runtime', 'System.Runtime.InteropServices', 'System.Text.Json'
)
Add-Type -Path (Get-ChildItem "$PSScriptRoot/administration/*.cs") -OutputAssembly "$folder/Microsoft.Web.Administration.dll" `
  -ReferencedAssemblies $references @common
