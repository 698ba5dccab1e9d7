// Microsoft.Web.Administration: an element of the configuration, and a collection of elements. An element is a part of
// the document that ServerManager reads and commits.
using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace Microsoft.Web.Administration {
  public abstract class ConfigurationElement {
    const int InvalidArgument = unchecked((int) 0x80070057);
    internal readonly JsonObject Node;
    readonly string[] attributes;

    // The attributes are those that SetAttributeValue may name.
    internal ConfigurationElement(JsonObject node, params string[] attributes) {
      Node = node;
      this.attributes = attributes;
    }

    public void SetAttributeValue(string name, object given) {
      var value = given is PSObject ? ((PSObject) given).BaseObject : given;
      if (!attributes.Contains(name)) throw new COMException("Attribute not found: " + name, InvalidArgument);
      if (name == "startMode" && !new[] { "OnDemand", "AlwaysRunning" }.Contains(value))
        throw new COMException("Enum must be one of OnDemand, AlwaysRunning", InvalidArgument);
      if (name == "preloadEnabled" && !(value is bool)) throw new COMException("Type mismatch", InvalidArgument);
      Node[name] = value is bool ? JsonValue.Create((bool) value) : JsonValue.Create(value.ToString());
    }

    internal string Text(string name) { return Node[name].GetValue<string>(); }
  }

  public abstract class Collection<T> : IEnumerable<T> where T : ConfigurationElement {
    const int Duplicate = unchecked((int) 0x800700B7);
    protected readonly JsonArray Nodes;
    readonly string key;
    readonly Func<JsonObject, T> element;

    internal Collection(JsonArray nodes, string key, Func<JsonObject, T> element) {
      Nodes = nodes;
      this.key = key;
      this.element = element;
    }

    public int Count { get { return Nodes.Count; } }

    public T this[int index] { get { return element((JsonObject) Nodes[index]); } }

    public T this[string name] {
      get {
        var node = Nodes.FirstOrDefault(
          one => string.Equals((string) one[key], name, StringComparison.OrdinalIgnoreCase));
        return node == null ? null : element((JsonObject) node);
      }
    }

    public void Clear() { Nodes.Clear(); }

    public void Remove(T one) {
      if (!Nodes.Remove(one.Node)) throw new COMException("The element is not in this collection.");
    }

    internal T Append(JsonObject node) {
      if (this[(string) node[key]] != null)
        throw new COMException("Cannot add duplicate collection entry with unique key attribute '" + key + "'", Duplicate);
      Nodes.Add(node);
      return element(node);
    }

    public IEnumerator<T> GetEnumerator() {
      return Nodes.Select(node => element((JsonObject) node)).ToList().GetEnumerator();
    }

    IEnumerator IEnumerable.GetEnumerator() { return GetEnumerator(); }
  }
}
