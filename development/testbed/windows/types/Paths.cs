// Paths of Windows, and where they are in the machine's folder: C:\a is <root>/C/a. Names are found in any case.
using System;
using System.IO;
using System.Linq;

namespace ModelOfWindows {
  public static class Machine {
    public static readonly string Root = Effects.Setting("WINDOWS_ROOT");
    const int LongestFile = 260;
    public const int LongestFolder = 248;

    // Refuses what Windows refuses: .NET Framework without long paths.
    public static string Real(string path, int longest = LongestFile) {
      if (path == null) throw new ArgumentNullException("path");
      var plain = path.Replace('/', '\\');
      if (plain.Trim() == "") throw new ArgumentException("The path is not of a legal form.");
      if (plain.Length < 3 || plain[1] != ':' || plain[2] != '\\')
        throw new InvalidOperationException("the model of Windows knows absolute paths only, not " + path);
      if (plain.IndexOfAny(new[] { '<', '>', '"', '|', '?', '*' }) >= 0)
        throw new ArgumentException("Illegal characters in path.");
      if (plain.TrimEnd('\\').Length >= longest)
        throw new PathTooLongException("The specified path, file name, or both are too long.");
      var at = Root + "/" + char.ToUpperInvariant(plain[0]);
      foreach (var part in plain.Substring(3).Split(new[] { '\\' }, StringSplitOptions.RemoveEmptyEntries)) {
        if (part == ".") continue;
        at = part == ".." ? System.IO.Path.GetDirectoryName(at) : Entry(at, part.TrimEnd('.', ' '));
      }
      return at;
    }

    static string Entry(string folder, string name) {
      var exact = folder + "/" + name;
      if (System.IO.File.Exists(exact) || !System.IO.Directory.Exists(folder)) return exact;
      var names = System.IO.Directory.GetFileSystemEntries(folder);
      return names.FirstOrDefault(
        one => string.Equals(System.IO.Path.GetFileName(one), name, StringComparison.OrdinalIgnoreCase)) ?? exact;
    }

    // A file with what Windows knows beside its files: the registry of the model.
    public static string StateFile(string name) {
      System.IO.Directory.CreateDirectory(Root + "/state");
      return Root + "/state/" + name;
    }
  }

  public static class Path {
    public static string Combine(string first, string second) {
      if (first == null || second == null) throw new ArgumentNullException();
      if ((first + second).IndexOfAny(new[] { '<', '>', '"', '|' }) >= 0)
        throw new ArgumentException("Illegal characters in path.");
      if (first == "" || second.StartsWith("\\") || second.StartsWith("/") || second.IndexOf(':') == 1) return second;
      if (second == "") return first;
      return first.EndsWith("\\") || first.EndsWith("/") ? first + second : first + "\\" + second;
    }

    public static string GetDirectoryName(string path) {
      if (path == null) return null;
      var plain = path.Replace('/', '\\');
      var at = plain.LastIndexOf('\\');
      if (at < 0) return "";
      if (at == 2 && plain[1] == ':') return plain.Length == 3 ? null : plain.Substring(0, 3);
      return plain.Substring(0, at);
    }

    public static string GetFileName(string path) {
      return path == null ? null : path.Substring(path.LastIndexOfAny(new[] { '\\', '/', ':' }) + 1);
    }
  }

  public static class Environment {
    public static bool Is64BitProcess { get { return true; } }
    public static string SystemDirectory { get { return "C:\\Windows\\system32"; } }
  }
}
