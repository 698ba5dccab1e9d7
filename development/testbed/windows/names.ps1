# Reads a script with PowerShell's own parser, and asks the reference assemblies of .NET Framework 4.8 for each type and
# member that it names, and the given list for each cmdlet: names.ps1 ASSEMBLIES. Each line on stdin is JSON with the
# script's `text` and `cmdlets`; the answer is a line of JSON, an array of complaints.
$ErrorActionPreference = 'Stop'
Add-Type -Path "$PSScriptRoot/net48/References.cs" -IgnoreWarnings -WarningAction SilentlyContinue
foreach ($file in Get-ChildItem "$($args[0])/*.dll") { [References]::Read($file.FullName) }

# What is no type of .NET Framework, but there: PowerShell 5.1's own, and the library of IIS.
$others = @{
  'System.Management.Automation.PSCustomObject' = @()
  'System.Management.Automation.Language.NullString' = @('Value')
  'Microsoft.Web.Administration.ServerManager' = @('new')
}
# Members of values of these two, and of what cmdlets and PowerShell give.
$known = @('PSObject', 'InvocationInfo', 'ScriptLineNumber', 'Exception', 'Sites', 'ApplicationPools', 'CommitChanges', 'Bindings',
  'BindingInformation', 'Applications', 'VirtualDirectories', 'PhysicalPath', 'ApplicationPoolName', 'SetAttributeValue',
  'GetApplicationHostConfiguration', 'AutoStart', 'ManagedRuntimeVersion', 'ManagedPipelineMode', 'ProcessModel', 'IdentityType',
  'IdleTimeout', 'ShutdownTimeLimit', 'Recycling', 'PeriodicRestart', 'DisallowOverlappingRotation', 'ServerAutoStart',
  'WorkerProcesses', 'OwningProcess', 'RestartNeeded')
# Names without a namespace that 5.1 knows; [ordered] and casts to newer ones are not among them.
$short = 'array bool byte char decimal double hashtable int long psobject ref regex string type uint32 void xml' -split ' '

function Find-Type([string] $Name) {
  $plain = $Name -replace '\[.*$', ''
  if ($others.ContainsKey($plain)) { return $plain }
  if ($others.ContainsKey("System.$plain")) { return "System.$plain" }
  $real = if ($plain -notmatch '\.') { $plain -as [type] }
  if ($plain -in $short) { return $real.FullName }
  if ($plain -ceq 'NullString') { return $real.FullName }
  foreach ($full in "System.$plain", $plain, "System.$plain``1") { if ([References]::HasType($full)) { return $full } }
  return ''
}

function Find-Complaints([string] $Text) {
  $tokens = $null
  $errors = $null
  $tree = [Management.Automation.Language.Parser]::ParseInput($Text, [ref] $tokens, [ref] $errors)
  foreach ($one in $errors) { "line $($one.Extent.StartLineNumber): $($one.Message)" }
  if ($errors) { return }
  $seven = 'QuestionQuestion', 'QuestionQuestionEquals', 'QuestionDot', 'QuestionLBracket', 'QuestionMark', 'AndAnd', 'OrOr', 'Ampersand'
  foreach ($one in $tokens) {
    if ($one.Kind -notin $seven) { continue }
    # The call operator is an ampersand before a command.
    $called = $tree.FindAll({ $args[0] -is [Management.Automation.Language.CommandAst] }, $true) |
      Where-Object { $_.Extent.StartOffset -eq $one.Extent.StartOffset }
    if (-not $called) { "line $($one.Extent.StartLineNumber): 5.1 does not know $($one.Text)" }
  }
  $named = $tree.FindAll({
      $args[0] -is [Management.Automation.Language.TypeExpressionAst] -or $args[0] -is [Management.Automation.Language.TypeConstraintAst]
    }, $true)
  foreach ($one in $named) {
    $name = $one.TypeName.FullName
    if ((Find-Type $name) -eq '') { "line $($one.Extent.StartLineNumber): .NET Framework 4.8 has no [$name]" }
  }
  foreach ($one in $tree.FindAll({ $args[0] -is [Management.Automation.Language.MemberExpressionAst] }, $true)) {
    $member = [string] $one.Member.Value
    $line = "line $($one.Extent.StartLineNumber)"
    if ($one.Static -and $one.Expression -is [Management.Automation.Language.TypeExpressionAst]) {
      $type = Find-Type $one.Expression.TypeName.FullName
      if ($type -eq '' -or $others[$type] -ccontains $member) { continue }
      $array = $one.Expression.TypeName.FullName.EndsWith('[]')
      if ($array -and $member -ceq 'new') { continue }
      if ($others.ContainsKey($type) -or -not [References]::Has($type, $member)) {
        "${line}: [$($one.Expression.TypeName.FullName)] has no $member in .NET Framework 4.8"
      }
    } elseif ($member -notin $known -and -not [References]::Has($member) -and $member -cnotin $keys) {
      "${line}: no type of .NET Framework 4.8 has a member $member"
    }
  }
  foreach ($one in $tree.FindAll({ $args[0] -is [Management.Automation.Language.CommandAst] }, $true)) {
    $name = $one.GetCommandName()
    if ($null -eq $name -or $name -in $functions) { continue }
    $line = "line $($one.Extent.StartLineNumber)"
    if (-not $cmdlets.ContainsKey($name)) {
      "${line}: 5.1 has no $name that the list knows"
      continue
    }
    foreach ($part in $one.CommandElements) {
      if ($part -is [Management.Automation.Language.CommandParameterAst] -and $part.ParameterName -cnotin $cmdlets[$name]) {
        "${line}: $name has no -$($part.ParameterName) that the list knows"
      }
    }
  }
}

while ($null -ne ($line = [Console]::In.ReadLine())) {
  $request = ConvertFrom-Json -InputObject $line -AsHashtable
  $cmdlets = $request.cmdlets
  # Keys of the script's own hashtables, and its functions.
  $functions = [regex]::Matches($request.text, '(?m)^function ([A-Za-z0-9-]+)') | ForEach-Object { $_.Groups[1].Value }
  $keys = [regex]::Matches($request.text, '(?m)(?<=[{;]|^)\s*([A-Za-z]+) = ') | ForEach-Object { $_.Groups[1].Value }
  [Console]::Out.WriteLine((ConvertTo-Json -Compress @(Find-Complaints $request.text)))
}
