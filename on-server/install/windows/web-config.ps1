# --------------------------------------------------------------------------------------------------------- Web.config
# A part of install-release.ps1: the environment's settings in the release's Web.config.

# Edits the document, not its text, so that a value never becomes markup.
function Edit-WebConfig([string] $Folder) {
  $script:Phase = 'setting up Web.config'
  $file = [IO.Path]::Combine($Folder, 'Web.config')
  $document = [Xml.XmlDocument]::new()
  $document.XmlResolver = $null
  $document.PreserveWhitespace = $true
  try {
    $document.Load($file)
  } catch {
    Stop-Step 4 'the archive has no Web.config that is XML: build and publish it again'
  }
  $root = $document.DocumentElement
  if ($root.LocalName -cne 'configuration' -or $root.NamespaceURI -ne '') {
    Stop-Step 4 'Web.config does not begin with a plain <configuration>: correct it, then release again'
  }
  $web = Get-Element $root 'system.web'
  (Get-Element $web 'compilation').RemoveAttribute('debug')
  if ($ConnectionName -ne '') {
    $connection = Get-Element (Get-Section $root 'connectionStrings') 'add' 'name' $ConnectionName
    $connection.SetAttribute('connectionString', (Get-Secret $ConnectionSecret))
    if (-not $connection.HasAttribute('providerName')) {
      $connection.SetAttribute('providerName', 'System.Data.SqlClient')
    }
  }
  if ($null -ne $MachineKeySecret) { Set-MachineKey (Get-Section $web 'machineKey') }
  foreach ($key in $AppSettings.Keys) {
    (Get-Element (Get-Section $root 'appSettings') 'add' 'key' $key).SetAttribute('value', $AppSettings[$key])
  }
  if ($null -ne $DisableInitializer) {
    $contexts = Get-Element (Get-Section $root 'entityFramework') 'contexts'
    (Get-Element $contexts 'context' 'type' $DisableInitializer).SetAttribute('disableDatabaseInitialization', 'true')
  }
  Confirm-InitializerOff $root $Folder

  Invoke-Patiently {
    $writer = [IO.StreamWriter]::new($file, $false, [Text.UTF8Encoding]::new($false))
    try {
      $document.Save($writer)
    } finally { $writer.Dispose() }
  }
}

# When the application starts, Entity Framework may drop and create a database that has "changed". With two releases on
# one database that will happen: so a release must turn it off.
function Confirm-InitializerOff([Xml.XmlElement] $Root, [string] $Folder) {
  $section = $Root.SelectSingleNode('entityFramework')
  if ($null -eq $section -and -not [IO.File]::Exists([IO.Path]::Combine($Folder, 'bin\EntityFramework.dll'))) {
    return
  }
  if ($null -ne $section -and $null -eq $Root.SelectSingleNode('configSections/section[@name="entityFramework"]')) {
    Stop-Step 4 'Web.config has no <section> for entityFramework in configSections: add it, then release again'
  }
  foreach ($context in $Root.SelectNodes('entityFramework/contexts/context')) {
    if ($context.GetAttribute('disableDatabaseInitialization') -eq 'true') { return }
  }
  if (-not $AllowInitializer) {
    Stop-Step 4 ('the release uses Entity Framework, which may drop and create the database at its start: ' +
      'set disableInitializer to the type of its context (or allowDestructiveInitializer, if the data may be lost)')
  }
}

# One key for all servers, slots and releases: otherwise each would refuse the cookies of the others.
function Set-MachineKey([Xml.XmlElement] $Element) {
  $text = Get-Secret $MachineKeySecret
  $hexadecimal = @{
    'validationKey' = '^[0-9A-Fa-f]{64,128}\z'
    'decryptionKey' = '^([0-9A-Fa-f]{48}|[0-9A-Fa-f]{64})\z'
  }
  foreach ($name in $hexadecimal.Keys) {
    $problem = 'secret {0} is no JSON with a text "{1}"' -f $MachineKeySecret, $name
    $key = Get-JsonText $text $name 'write it again, then retry' $problem
    if ($key -cnotmatch $hexadecimal[$name]) {
      Stop-Step 4 ('secret {0} must be JSON with a hexadecimal {1}: write it again' -f $MachineKeySecret, $name)
    }
    $Element.SetAttribute($name, $key)
  }
  $Element.SetAttribute('validation', 'HMACSHA256')
  $Element.SetAttribute('decryption', 'AES')
}

# The child of that name (and, if given, with that attribute); it is created if there is none.
function Get-Element([Xml.XmlElement] $Parent, [string] $Name, [string] $Attribute, [string] $Value) {
  foreach ($node in $Parent.ChildNodes) {
    if ($node -is [Xml.XmlElement] -and $node.LocalName -ceq $Name -and
      ($Attribute -eq '' -or $node.GetAttribute($Attribute) -eq $Value)) {
      return $node
    }
  }
  $element = $Parent.OwnerDocument.CreateElement($Name)
  if ($Attribute -ne '') { $element.SetAttribute($Attribute, $Value) }
  return $Parent.AppendChild($element)
}

function Get-Section([Xml.XmlElement] $Parent, [string] $Name) {
  $section = Get-Element $Parent $Name
  if ($section.HasAttribute('configSource') -or $section.HasAttribute('configProtectionProvider')) {
    Stop-Step 4 ('Web.config has {0} encrypted or in another file: put it into Web.config as plain text' -f $Name)
  }
  return $section
}
