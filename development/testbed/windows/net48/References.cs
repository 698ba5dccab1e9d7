// What the reference assemblies of .NET Framework 4.8 have: types with their members' names. Only public ones count.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

public static class References {
  static readonly Dictionary<string, HashSet<string>> members = new Dictionary<string, HashSet<string>>();
  static readonly Dictionary<string, string> bases = new Dictionary<string, string>();
  static readonly HashSet<string> everything = new HashSet<string>(StringComparer.OrdinalIgnoreCase);

  public static void Read(string file) {
    using (var image = new PEReader(File.OpenRead(file))) {
      if (!image.HasMetadata) return;
      var reader = image.GetMetadataReader();
      foreach (var handle in reader.TypeDefinitions) {
        var type = reader.GetTypeDefinition(handle);
        if ((type.Attributes & TypeAttributes.VisibilityMask) != TypeAttributes.Public) continue;
        var name = reader.GetString(type.Namespace) + "." + reader.GetString(type.Name);
        var known = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var one in type.GetMethods().Select(reader.GetMethodDefinition))
          if ((one.Attributes & MethodAttributes.MemberAccessMask) == MethodAttributes.Public) known.Add(reader.GetString(one.Name));
        foreach (var one in type.GetFields().Select(reader.GetFieldDefinition))
          if ((one.Attributes & FieldAttributes.FieldAccessMask) == FieldAttributes.Public) known.Add(reader.GetString(one.Name));
        foreach (var one in type.GetProperties().Select(reader.GetPropertyDefinition)) known.Add(reader.GetString(one.Name));
        members[name] = known;
        everything.UnionWith(known);
        if (type.BaseType.IsNil) continue;
        if (type.BaseType.Kind == HandleKind.TypeReference) {
          var parent = reader.GetTypeReference((TypeReferenceHandle) type.BaseType);
          bases[name] = reader.GetString(parent.Namespace) + "." + reader.GetString(parent.Name);
        } else if (type.BaseType.Kind == HandleKind.TypeDefinition) {
          var parent = reader.GetTypeDefinition((TypeDefinitionHandle) type.BaseType);
          bases[name] = reader.GetString(parent.Namespace) + "." + reader.GetString(parent.Name);
        }
      }
    }
  }

  public static bool HasType(string type) { return members.ContainsKey(type); }

  // Of the type itself, or of one that it derives from. "new" is a constructor.
  public static bool Has(string type, string member) {
    if (member == "new") return members[type].Contains(".ctor");
    for (; type != null && members.ContainsKey(type); type = bases.ContainsKey(type) ? bases[type] : null)
      if (members[type].Contains(member)) return true;
    return false;
  }

  // Of any type: for the member of a value whose type the text does not tell.
  public static bool Has(string member) { return everything.Contains(member); }
}
