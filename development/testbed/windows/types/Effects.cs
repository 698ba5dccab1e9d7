// The side effects of a script, counted. A test kills the script at one of them, or lets Windows refuse some.
using System;
using System.Diagnostics;
using System.IO;
using System.Threading;

namespace ModelOfWindows {
  public static class Effects {
    static readonly int killAt = Setting("WINDOWS_KILL_AT") == "" ? 0 : int.Parse(Setting("WINDOWS_KILL_AT"));
    static readonly string trace = Setting("WINDOWS_TRACE");
    // "<part of the effect's name>|<times>|<message>"; the message "denied" throws what missing rights throw.
    static readonly string[] refusal = Setting("WINDOWS_REFUSAL").Split('|', 3);
    static int count, refused;

    public static string Setting(string name) { return System.Environment.GetEnvironmentVariable(name) ?? ""; }

    // Called before each side effect, and after those that another process sees.
    public static void Reach(string name) {
      count++;
      if (trace != "") System.IO.File.AppendAllText(trace, name + "\n");
      if (count == killAt) {
        Process.GetCurrentProcess().Kill();
        Thread.Sleep(Timeout.Infinite);
      }
      if (refusal.Length < 3 || !name.Contains(refusal[0]) || refused >= int.Parse(refusal[1])) return;
      refused++;
      if (refusal[2] == "denied") throw new UnauthorizedAccessException("Access to the path is denied.");
      throw new IOException(refusal[2]);
    }
  }
}
