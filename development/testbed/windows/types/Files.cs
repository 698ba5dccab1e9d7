// System.IO's files, as .NET Framework has them on Windows.
using System;
using System.IO;
using System.Text;

namespace ModelOfWindows {
  public static class File {
    const string Taken = "Cannot create a file when that file already exists.";

    public static bool Exists(string path) {
      try {
        return System.IO.File.Exists(Machine.Real(path));
      } catch (ArgumentException) {
        return false;
      } catch (PathTooLongException) {
        return false;
      }
    }

    public static string ReadAllText(string path) { return System.IO.File.ReadAllText(Machine.Real(path)); }

    public static System.IO.FileStream OpenRead(string path) { return System.IO.File.OpenRead(Machine.Real(path)); }

    public static System.IO.FileStream Create(string path) {
      return new FileStream(path, FileMode.Create, FileAccess.ReadWrite);
    }

    public static void Delete(string path) {
      Effects.Reach("delete " + path);
      System.IO.File.Delete(Machine.Real(path));
    }

    public static void Move(string from, string to) {
      Effects.Reach("move " + from + " to " + to);
      if (System.IO.File.Exists(Machine.Real(to))) throw new IOException(Taken);
      System.IO.File.Move(Machine.Real(from), Machine.Real(to));
    }

    // PowerShell turns $null into "", which is no name for a backup.
    public static void Replace(string from, string to, string backup) {
      Effects.Reach("replace " + to + " by " + from);
      if (backup == "") throw new ArgumentException("Empty file name is not legal.");
      System.IO.File.Replace(Machine.Real(from), Machine.Real(to), backup);
    }
  }

  public class FileStream : System.IO.FileStream {
    readonly string path;

    public FileStream(string path, FileMode mode, FileAccess access)
      : base(Announced("open ", path), mode, access, FileShare.None) {
      this.path = path;
    }

    static string Announced(string effect, string path) {
      Effects.Reach(effect + path);
      return Machine.Real(path);
    }

    public override void Write(byte[] bytes, int start, int count) {
      Effects.Reach("write " + path);
      Disk.Take(count);
      base.Write(bytes, start, count);
    }

    public override void Flush(bool toDisk) {
      Effects.Reach("flush " + path);
      base.Flush(toDisk);
    }
  }

  public class StreamWriter : System.IO.StreamWriter {
    public StreamWriter(string path, bool append, Encoding encoding) : base(Announced(path), append, encoding) {}

    static string Announced(string path) {
      Effects.Reach("write " + path);
      return Machine.Real(path);
    }
  }

  public class XmlDocument : System.Xml.XmlDocument {
    public override void Load(string path) { base.Load(Machine.Real(path)); }
  }
}
