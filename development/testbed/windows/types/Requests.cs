// System.Net.WebRequest. Azure's metadata service and Key Vault are on loopback; all else goes to its own address.
using System;

#pragma warning disable SYSLIB0014 // the scripts run on .NET Framework, where it is not obsolete

namespace ModelOfWindows {
  public static class WebRequest {
    public static System.Net.WebRequest Create(Uri address) {
      Effects.Reach("request " + address.GetLeftPart(UriPartial.Path));
      var real = new UriBuilder(address);
      if (address.Host == "169.254.169.254") {
        real.Host = "127.0.0.1";
        real.Port = int.Parse(Effects.Setting("WINDOWS_METADATA_PORT"));
      }
      if (address.Host.EndsWith(".vault.azure.net")) {
        real.Host = "localhost";
        real.Port = int.Parse(Effects.Setting("WINDOWS_HTTPS_PORT"));
      }
      return System.Net.WebRequest.Create(real.Uri);
    }
  }
}
