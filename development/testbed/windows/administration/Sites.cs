// Microsoft.Web.Administration: sites with their bindings, applications and virtual directories.
using System;
using System.Linq;
using System.Text.Json.Nodes;

namespace Microsoft.Web.Administration {
  public class VirtualDirectory : ConfigurationElement {
    internal VirtualDirectory(JsonObject node) : base(node, "path", "physicalPath") {}

    public string Path { get { return Text("path"); } }
    public string PhysicalPath { get { return Text("physicalPath"); } set { Node["physicalPath"] = value; } }
  }

  public class VirtualDirectoryCollection : Collection<VirtualDirectory> {
    internal VirtualDirectoryCollection(JsonArray nodes) : base(nodes, "path", node => new VirtualDirectory(node)) {}

    public VirtualDirectory Add(string path, string physicalPath) {
      if (!path.StartsWith("/")) throw new ArgumentException("The virtual directory path must start with '/'.");
      return Append(new JsonObject { ["path"] = path, ["physicalPath"] = physicalPath });
    }
  }

  public class Application : ConfigurationElement {
    internal Application(JsonObject node) : base(node, "path", "applicationPool", "enabledProtocols", "preloadEnabled") {}

    public string Path { get { return Text("path"); } }
    public string ApplicationPoolName { get { return Text("applicationPool"); } set { Node["applicationPool"] = value; } }
    public VirtualDirectoryCollection VirtualDirectories {
      get { return new VirtualDirectoryCollection((JsonArray) Node["virtualDirectories"]); }
    }
  }

  public class ApplicationCollection : Collection<Application> {
    internal ApplicationCollection(JsonArray nodes) : base(nodes, "path", node => new Application(node)) {}
  }

  public class Binding : ConfigurationElement {
    internal Binding(JsonObject node) : base(node) {}

    public string BindingInformation { get { return Text("information"); } }
    public string Protocol { get { return Text("protocol"); } }
  }

  public class BindingCollection : Collection<Binding> {
    internal BindingCollection(JsonArray nodes) : base(nodes, "information", node => new Binding(node)) {}

    public Binding Add(string information, string protocol) {
      if (information.Split(':').Length != 3) throw new ArgumentException("The binding is not <address>:<port>:<host>.");
      return Append(new JsonObject { ["information"] = information, ["protocol"] = protocol });
    }
  }

  public class Site : ConfigurationElement {
    internal Site(JsonObject node) : base(node, "name", "id", "serverAutoStart") {}

    public string Name { get { return Text("name"); } }
    public long Id { get { return Node["id"].GetValue<long>(); } set { Node["id"] = value; } }
    public bool ServerAutoStart {
      get { return Node["serverAutoStart"].GetValue<bool>(); }
      set { Node["serverAutoStart"] = value; }
    }
    public BindingCollection Bindings { get { return new BindingCollection((JsonArray) Node["bindings"]); } }
    public ApplicationCollection Applications {
      get { return new ApplicationCollection((JsonArray) Node["applications"]); }
    }
    public ObjectState State { get { return Activation.Ask("state", "sites", Name); } }

    public ObjectState Start() { return Activation.Ask("start", "sites", Name); }
    public ObjectState Stop() { return Activation.Ask("stop", "sites", Name); }
  }

  public class SiteCollection : Collection<Site> {
    internal SiteCollection(JsonArray nodes) : base(nodes, "name", node => new Site(node)) {}

    public Site Add(string name, string protocol, string information, string folder) {
      var root = new JsonObject { ["path"] = "/", ["physicalPath"] = folder };
      return Append(new JsonObject {
        ["name"] = name,
        ["id"] = Nodes.Select(node => node["id"].GetValue<long>()).DefaultIfEmpty(0).Max() + 1,
        ["serverAutoStart"] = true,
        ["bindings"] = new JsonArray(new JsonObject { ["information"] = information, ["protocol"] = protocol }),
        ["applications"] = new JsonArray(new JsonObject {
          ["path"] = "/", ["applicationPool"] = "DefaultAppPool", ["virtualDirectories"] = new JsonArray(root),
        }),
      });
    }
  }
}
