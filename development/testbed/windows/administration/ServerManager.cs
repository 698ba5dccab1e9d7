// Microsoft.Web.Administration: reads the configuration of IIS, and commits all changes at once. A commit is refused if
// another process changed the configuration meanwhile.
using System;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using ModelOfWindows;

namespace Microsoft.Web.Administration {
  public class ConfigurationSection : ConfigurationElement {
    internal ConfigurationSection(JsonObject node) : base(node, "enabled", "userName", "password", "logonMethod") {}
  }

  public class Configuration {
    const string Known = "system.webServer/security/authentication/anonymousAuthentication";
    readonly JsonObject locations;

    internal Configuration(JsonObject locations) { this.locations = locations; }

    public ConfigurationSection GetSection(string section, string location) {
      if (section != Known) throw new FileNotFoundException("The configuration section '" + section + "' cannot be read.");
      if (locations[location] == null) locations[location] = new JsonObject();
      return new ConfigurationSection((JsonObject) locations[location]);
    }
  }

  public sealed class ServerManager : IDisposable {
    const int Changed = unchecked((int) 0x800700B7);
    readonly string file = Machine.StateFile("iis.json");
    readonly string before;
    readonly JsonObject document;

    public ServerManager() {
      before = System.IO.File.ReadAllText(file);
      document = (JsonObject) JsonNode.Parse(before);
    }

    public SiteCollection Sites { get { return new SiteCollection((JsonArray) document["sites"]); } }
    public ApplicationPoolCollection ApplicationPools {
      get { return new ApplicationPoolCollection((JsonArray) document["pools"]); }
    }

    public Configuration GetApplicationHostConfiguration() {
      return new Configuration((JsonObject) document["locations"]);
    }

    public void CommitChanges() {
      Effects.Reach("commit the configuration of IIS");
      if (System.IO.File.ReadAllText(file) != before)
        throw new COMException("Cannot commit configuration changes because the file has changed on disk", Changed);
      var ids = Sites.Select(site => site.Id).ToList();
      if (ids.Distinct().Count() != ids.Count)
        throw new COMException("Cannot add duplicate collection entry of type 'site' with unique key attribute 'id'", Changed);
      System.IO.File.WriteAllText(file + ".new", document.ToJsonString());
      System.IO.File.Move(file + ".new", file, true);
      Effects.Reach("committed the configuration of IIS");
    }

    public void Dispose() {}
  }
}
