// The disk C:, with a capacity that a test may set. What does not fit is refused in the words of Windows.
using System;
using System.IO;
using System.Linq;

namespace ModelOfWindows {
  public static class Disk {
    const int Full = unchecked((int) 0x80070070);

    public static long Free {
      get {
        var setting = Effects.Setting("WINDOWS_DISK_BYTES");
        var capacity = setting == "" ? long.MaxValue : long.Parse(setting);
        if (capacity == long.MaxValue) return capacity;
        var files = new System.IO.DirectoryInfo(Machine.Root + "/C").GetFiles("*", SearchOption.AllDirectories);
        return Math.Max(0, capacity - files.Sum(file => file.Length));
      }
    }

    public static void Take(long bytes) {
      if (bytes > Free) throw new IOException("There is not enough space on the disk.", Full);
    }
  }

  public class DriveInfo {
    public DriveInfo(string name) {
      if (name.ToUpperInvariant().TrimEnd('\\', ':') != "C") throw new DriveNotFoundException(name);
    }

    public long AvailableFreeSpace { get { return Disk.Free; } }
  }
}
