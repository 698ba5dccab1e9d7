// Microsoft.Web.Administration: application pools, with the defaults of IIS 10.
using System;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace Microsoft.Web.Administration {
  public enum ManagedPipelineMode { Integrated, Classic }
  public enum ProcessModelIdentityType { LocalSystem, LocalService, NetworkService, SpecificUser, ApplicationPoolIdentity }

  public class ProcessModel : ConfigurationElement {
    static readonly TimeSpan longest = TimeSpan.FromSeconds(4294967);

    internal ProcessModel(JsonObject node) : base(node) {}

    public ProcessModelIdentityType IdentityType {
      get { return Enum.Parse<ProcessModelIdentityType>(Text("identityType")); }
      set { Node["identityType"] = value.ToString(); }
    }
    public TimeSpan IdleTimeout {
      get { return TimeSpan.Parse(Text("idleTimeout")); }
      set { Node["idleTimeout"] = value.ToString(); }
    }
    public TimeSpan ShutdownTimeLimit {
      get { return TimeSpan.Parse(Text("shutdownTimeLimit")); }
      set {
        if (value < TimeSpan.FromSeconds(1) || value > longest) throw new COMException("shutdownTimeLimit is out of range");
        Node["shutdownTimeLimit"] = value.ToString();
      }
    }
  }

  public class PeriodicRestart {
    readonly JsonObject node;
    internal PeriodicRestart(JsonObject node) { this.node = node; }

    public TimeSpan Time {
      get { return TimeSpan.Parse((string) node["periodicRestart"]); }
      set { node["periodicRestart"] = value.ToString(); }
    }
  }

  public class Recycling {
    readonly JsonObject node;
    internal Recycling(JsonObject node) { this.node = node; }

    public PeriodicRestart PeriodicRestart { get { return new PeriodicRestart(node); } }
    public bool DisallowOverlappingRotation {
      get { return node["disallowOverlap"].GetValue<bool>(); }
      set { node["disallowOverlap"] = value; }
    }
  }

  public class ApplicationPool : ConfigurationElement {
    internal ApplicationPool(JsonObject node) : base(node, "name", "autoStart", "startMode", "managedRuntimeVersion") {}

    public string Name { get { return Text("name"); } }
    public bool AutoStart { get { return Node["autoStart"].GetValue<bool>(); } set { Node["autoStart"] = value; } }
    public string ManagedRuntimeVersion {
      get { return Text("managedRuntimeVersion"); }
      set { Node["managedRuntimeVersion"] = value; }
    }
    public ManagedPipelineMode ManagedPipelineMode {
      get { return Enum.Parse<ManagedPipelineMode>(Text("pipelineMode")); }
      set { Node["pipelineMode"] = value.ToString(); }
    }
    public ProcessModel ProcessModel { get { return new ProcessModel(Node); } }
    public Recycling Recycling { get { return new Recycling(Node); } }
    public ObjectState State { get { return Activation.Ask("state", "pools", Name); } }
    public int[] WorkerProcesses { get { return new int[Activation.Workers(Name)]; } }

    public ObjectState Start() { return Activation.Ask("start", "pools", Name); }
    public ObjectState Stop() { return Activation.Ask("stop", "pools", Name); }
  }

  public class ApplicationPoolCollection : Collection<ApplicationPool> {
    internal ApplicationPoolCollection(JsonArray nodes) : base(nodes, "name", node => new ApplicationPool(node)) {}

    public ApplicationPool Add(string name) {
      return Append(new JsonObject {
        ["name"] = name,
        ["autoStart"] = true,
        ["startMode"] = "OnDemand",
        ["managedRuntimeVersion"] = "v4.0",
        ["pipelineMode"] = "Integrated",
        ["identityType"] = "ApplicationPoolIdentity",
        ["idleTimeout"] = "00:20:00",
        ["shutdownTimeLimit"] = "00:01:30",
        ["periodicRestart"] = "1.05:00:00",
        ["disallowOverlap"] = false,
      });
    }
  }
}
