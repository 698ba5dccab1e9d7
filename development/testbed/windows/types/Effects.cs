// The side effects of a script, counted. A test kills the script at one of them, or lets Windows refuse some.
using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;

namespace ModelOfWindows {
  public static class Effects {
    static int killAt, count;
    static string trace;
    // Lines of "<part of the effect's name>|<times>|<message>"; the message "denied" throws what missing rights throw.
    static string[][] refusals;
    static int[] refused;

    // A script's run begins.
    public static void Begin() {
      killAt = Setting("WINDOWS_KILL_AT") == "" ? 0 : int.Parse(Setting("WINDOWS_KILL_AT"));
      trace = Setting("WINDOWS_TRACE");
      var lines = Setting("WINDOWS_REFUSALS").Split('\n', StringSplitOptions.RemoveEmptyEntries);
      refusals = lines.Select(line => line.Split('|', 3)).ToArray();
      refused = new int[refusals.Length];
      count = 0;
    }

    public static string Setting(string name) { return System.Environment.GetEnvironmentVariable(name) ?? ""; }

    // Called before each side effect, and after those that another process sees.
    public static void Reach(string name) {
      count++;
      if (trace != "") System.IO.File.AppendAllText(trace, name + "\n");
      if (count == killAt) {
        Process.GetCurrentProcess().Kill();
        Thread.Sleep(Timeout.Infinite);
      }
      for (var index = 0; index < refusals.Length; index++) {
        var refusal = refusals[index];
        if (!name.Contains(refusal[0]) || refused[index] >= int.Parse(refusal[1])) continue;
        refused[index]++;
        if (refusal[2] == "denied") throw new UnauthorizedAccessException("Access to the path is denied.");
        throw new IOException(refusal[2]);
      }
    }
  }
}
