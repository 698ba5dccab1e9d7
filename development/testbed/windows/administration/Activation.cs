// Asks the Windows Process Activation Service (activation.ts) for the state of sites and pools.
using System;
using System.Net.Http;
using System.Runtime.InteropServices;
using ModelOfWindows;

namespace Microsoft.Web.Administration {
  public enum ObjectState { Starting, Started, Stopping, Stopped, Unknown }

  static class Activation {
    const int NoSuchObject = unchecked((int) 0x800710D8);
    static readonly HttpClient client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };

    public static ObjectState Ask(string verb, string kind, string name) {
      return Enum.Parse<ObjectState>(Answer(verb, kind, name));
    }

    public static int Workers(string pool) { return int.Parse(Answer("workers", "pools", pool)); }

    static string Answer(string verb, string kind, string name) {
      if (verb == "start" || verb == "stop") Effects.Reach(verb + " " + name + " of the " + kind);
      var address = "http://127.0.0.1:" + Effects.Setting("WINDOWS_ACTIVATION_PORT") + "/" + verb + "/" + kind + "/" + name;
      using (var response = client.GetAsync(address).GetAwaiter().GetResult()) {
        var text = response.Content.ReadAsStringAsync().GetAwaiter().GetResult();
        if (!response.IsSuccessStatusCode) throw new COMException(text, NoSuchObject);
        return text;
      }
    }
  }
}
