import fc from "fast-check";
import {
  azureNames,
  blobHost,
  identityId,
  privateAddress,
  subnetRange,
  virtualMachineId,
  virtualMachineName,
  zoneOf,
} from "../../../configuration/azure/azure-names";
import { proxyPlaces, serverPlaces, slotEndpoints, workFolder } from "../../../configuration/naming";
import { azureEnvironment } from "./examples";

const names = fc.stringMatching(/^[a-z][a-z0-9-]{0,23}$/);

test("whatever application and environment are called, the names are Azure's", () => {
  const reserved = /microsoft|windows|azure|office|xbox|login|bizspark/;
  fc.assert(
    fc.property(names, names, (application, name) => {
      fc.pre(!reserved.test(application + name) && !/--|-$/.test(`${application}-${name}`));
      // Longer ones are refused: the machine for operations has the longest name.
      fc.pre(application.length + name.length <= 47);
      const environment = azureEnvironment({}, { application, name });
      const { storageAccount, keyVault, sqlServer, resourceGroup } = azureNames(environment);
      expect(storageAccount).toMatch(/^[a-z0-9]{3,24}$/);
      expect(keyVault).toMatch(/^(?=.{3,24}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
      expect(sqlServer).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
      expect(resourceGroup).toBe(`rg-${application}-${name}`);
      expect(virtualMachineName(environment, "web-20").length).toBeLessThanOrEqual(64);
    }),
  );
});

test("two long names that begin alike stay apart where all of Azure shares them", () => {
  const long = "a-very-long-name-that-";
  const one = azureEnvironment({}, { application: long + "is", name: "staging-one" });
  const other = azureEnvironment({}, { application: long + "is", name: "staging-two" });
  expect(azureNames(one).storageAccount).not.toBe(azureNames(other).storageAccount);
  expect(azureNames(one).keyVault).not.toBe(azureNames(other).keyVault);
});

test("ids follow from names", () => {
  const environment = azureEnvironment();
  const group = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-shop-prod/providers";
  expect(virtualMachineId(environment, "web-1")).toBe(
    `${group}/Microsoft.Compute/virtualMachines/vm-shop-prod-web-1`,
  );
  expect(identityId(environment, "web")).toBe(
    `${group}/Microsoft.ManagedIdentity/userAssignedIdentities/id-shop-prod-web`,
  );
  expect(blobHost(azureEnvironment({ names: { storageAccount: "shopreleases" } }))).toBe(
    "shopreleases.blob.core.windows.net",
  );
  expect(workFolder(environment)).toBe(".bluegreen/prod");
});

test("every machine has its own address, inside its subnet", () => {
  const environment = azureEnvironment({}, { servers: { count: 20 }, proxies: { count: 8 } });
  expect(subnetRange(environment, "web")).toBe("10.20.1.0/24");
  expect(subnetRange(environment, "bastion")).toBe("10.20.5.0/26");
  const { blue, green } = slotEndpoints(environment);
  expect(blue.map(({ host }) => host)).toEqual(green.map(({ host }) => host));
  expect(new Set(blue.map(({ host }) => host)).size).toBe(20);
  expect([blue[0], green[0], blue[19]]).toEqual([
    { server: "web-1", host: "10.20.1.11", port: 8080 },
    { server: "web-1", host: "10.20.1.11", port: 8081 },
    { server: "web-20", host: "10.20.1.30", port: 8080 },
  ]);
  expect(proxyPlaces(environment)[7]).toEqual({ name: "proxy-8", host: "10.20.2.18", port: 80, tls: null });
  expect(privateAddress(environment, "operations", 0)).toBe("10.20.3.11");
});

test("split, both slots have the same port: they are on different servers", () => {
  const { blue, green } = slotEndpoints(azureEnvironment({}, { topology: "split", servers: { count: 2 } }));
  expect([...blue, ...green].map(({ port }) => port)).toEqual([8080, 8080]);
  expect(blue[0]!.host).not.toBe(green[0]!.host);
});

test("with a certificate the proxies serve HTTPS", () => {
  const [proxy] = proxyPlaces(azureEnvironment({ tlsCertificate: "shop" }));
  expect(proxy).toMatchObject({ port: 80, tls: { port: 443, certificate: "tls/site.pem" } });
});

test("the servers of each slot are spread over the zones", () => {
  const places = serverPlaces(azureEnvironment({}, { topology: "split", servers: { count: 4 } }));
  const zones = ["1", "2"];
  for (const slot of ["blue", "green"] as const) {
    const seen = places.flatMap((place, index) =>
      place.slots.includes(slot) ? [zoneOf(zones, "split", index)] : [],
    );
    expect(new Set(seen)).toEqual(new Set(zones));
  }
  expect(zoneOf(zones, "sideBySide", 3)).toBe("2");
  expect(zoneOf([], "split", 1)).toBeUndefined();
});
