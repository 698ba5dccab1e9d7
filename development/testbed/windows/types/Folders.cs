// System.IO's folders, as .NET Framework has them on Windows.
using System;
using System.IO;

namespace ModelOfWindows {
  public static class Directory {
    public static System.IO.DirectoryInfo CreateDirectory(string path) {
      Effects.Reach("create folder " + path);
      return System.IO.Directory.CreateDirectory(Machine.Real(path, Machine.LongestFolder));
    }

    public static bool Exists(string path) {
      try {
        return System.IO.Directory.Exists(Machine.Real(path));
      } catch (ArgumentException) {
        return false;
      } catch (PathTooLongException) {
        return false;
      }
    }

    public static void Delete(string path) {
      Effects.Reach("delete folder " + path);
      System.IO.Directory.Delete(Machine.Real(path));
      AccessRights.Forget(path);
    }

    public static void Move(string from, string to) {
      Effects.Reach("move folder " + from + " to " + to);
      var target = Machine.Real(to, Machine.LongestFolder);
      if (System.IO.Directory.Exists(target) || System.IO.File.Exists(target))
        throw new IOException("Cannot create a file when that file already exists.");
      System.IO.Directory.Move(Machine.Real(from), target);
      AccessRights.Move(from, to);
      Effects.Reach("moved folder " + from + " to " + to);
    }

    public static string[] GetFileSystemEntries(string path) {
      return System.IO.Directory.GetFileSystemEntries(Machine.Real(path));
    }

    public static DirectorySecurity GetAccessControl(string path) {
      if (!Exists(path)) throw new DirectoryNotFoundException(path);
      return AccessRights.Of(path);
    }

    public static void SetAccessControl(string path, DirectorySecurity rights) {
      Effects.Reach("set access to " + path);
      if (!Exists(path)) throw new DirectoryNotFoundException(path);
      AccessRights.Set(path, rights);
    }
  }

  public class DirectoryInfo {
    readonly System.IO.DirectoryInfo real;

    public DirectoryInfo(string path) { real = new System.IO.DirectoryInfo(Machine.Real(path)); }

    public FileInfo[] GetFiles(string pattern, SearchOption option) { return real.GetFiles(pattern, option); }

    public System.IO.DirectoryInfo[] GetDirectories() { return real.GetDirectories(); }
  }
}
