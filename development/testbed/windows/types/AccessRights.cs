// The access rights of folders, in the text form of Windows (SDDL). They are kept and checked for form, not enforced.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace ModelOfWindows {
  public static class AccessControlSections {
    public static string Access { get { return "Access"; } }
  }

  public class DirectorySecurity {
    const string Inherited = "D:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)";
    static readonly Regex form = new Regex(
      @"^D:P?(AI)?(\((A|D);(OI|CI|IO|NP|ID)*;(FA|FR|FW|FX|0x[0-9a-f]+);;;(SY|BA|BU|S-1-[0-9]+(-[0-9]+)+)\))+$");
    string text = Inherited;

    public void SetSecurityDescriptorSddlForm(string rights, string section) {
      if (section != "Access") throw new ArgumentException(section);
      if (!form.IsMatch(rights)) throw new ArgumentException("The SDDL form is invalid: " + rights);
      text = rights;
    }

    public string GetSecurityDescriptorSddlForm(string section) {
      if (section != "Access") throw new ArgumentException(section);
      return text;
    }

    public bool AreAccessRulesProtected { get { return text.StartsWith("D:P"); } }
  }

  static class AccessRights {
    static readonly string file = Machine.StateFile("access.json");

    static Dictionary<string, string> Read() {
      var text = System.IO.File.Exists(file) ? System.IO.File.ReadAllText(file) : "{}";
      var known = JsonSerializer.Deserialize<Dictionary<string, string>>(text);
      return new Dictionary<string, string>(known, StringComparer.OrdinalIgnoreCase);
    }

    static void Write(Dictionary<string, string> rights) {
      System.IO.File.WriteAllText(file + ".new", JsonSerializer.Serialize(rights));
      System.IO.File.Move(file + ".new", file, true);
    }

    public static DirectorySecurity Of(string folder) {
      var rights = new DirectorySecurity();
      string text;
      if (Read().TryGetValue(folder, out text)) rights.SetSecurityDescriptorSddlForm(text, "Access");
      return rights;
    }

    public static void Set(string folder, DirectorySecurity rights) {
      var all = Read();
      all[folder] = rights.GetSecurityDescriptorSddlForm("Access");
      Write(all);
    }

    public static void Forget(string folder) {
      var all = Read();
      if (all.Remove(folder)) Write(all);
    }

    public static void Move(string from, string to) {
      var all = Read();
      string text;
      if (!all.Remove(from, out text)) return;
      all[to] = text;
      Write(all);
    }
  }
}
