// System.IO.Compression's zip files. Unpacks as .NET Framework 4.8 does on Windows.
using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Text;

namespace ModelOfWindows {
  public static class ZipFile {
    public static ZipArchive Open(string path, ZipArchiveMode mode, Encoding encoding) {
      return System.IO.Compression.ZipFile.Open(Machine.Real(path), mode, encoding);
    }
  }

  public static class ZipFileExtensions {
    public static void ExtractToDirectory(ZipArchive archive, string folder) {
      foreach (var entry in archive.Entries) {
        var path = Absolute(folder, entry.FullName);
        if (!path.StartsWith(folder + "\\", StringComparison.OrdinalIgnoreCase))
          throw new IOException("Extracting Zip entry would have resulted in a file outside the destination directory.");
        if (path.EndsWith("\\")) Folder(path.TrimEnd('\\'), entry);
        else Unpack(path, entry);
      }
    }

    static void Folder(string path, ZipArchiveEntry entry) {
      if (entry.Length != 0) throw new IOException("Zip entry name ends in directory separator character but contains data.");
      Effects.Reach("unpack folder " + path);
      System.IO.Directory.CreateDirectory(Machine.Real(path, Machine.LongestFolder));
    }

    static void Unpack(string path, ZipArchiveEntry entry) {
      System.IO.Directory.CreateDirectory(Machine.Real(Path.GetDirectoryName(path), Machine.LongestFolder));
      Effects.Reach("unpack " + path);
      Disk.Take(entry.Length);
      using (var target = new System.IO.FileStream(Machine.Real(path), FileMode.CreateNew, FileAccess.Write))
      using (var source = entry.Open()) source.CopyTo(target);
      System.IO.File.SetLastWriteTime(Machine.Real(path), entry.LastWriteTime.DateTime);
    }

    static string Absolute(string folder, string name) {
      var parts = new List<string>();
      var path = Path.Combine(folder, name).Replace('/', '\\');
      foreach (var part in path.Split('\\')) {
        if (part == ".." && parts.Count > 1) parts.RemoveAt(parts.Count - 1);
        else if (part != "" && part != "." && part != "..") parts.Add(part);
      }
      return string.Join("\\", parts) + (path.EndsWith("\\") ? "\\" : "");
    }
  }
}
