/**
 * A real gRPC service (ASP.NET Core, HTTP/2 without TLS) is released with HAProxy, under calls of real clients. Skipped,
 * with a line that reports it, where there is no .NET SDK or no NuGet.
 */
import { builtGrpcShop, GrpcClients, packGrpcShop } from "./grpc-service";
import type { Counts } from "./grpc-service";
import { describeEndToEnd, until, World } from "./world";

const TITLE = "a gRPC service";

const isBuilt = ((): boolean => {
  try {
    builtGrpcShop();
    return true;
  } catch (error) {
    console.warn(`skipped, ${(error as Error).message}: ${TITLE}`);
    return false;
  }
})();

const ENVIRONMENT = {
  start: ["dotnet", "Shop.dll"],
  proxies: { driver: "haproxy", http: { instances: "http2" } },
  verification: { path: "/health", intervalSeconds: 0.1, deadlineSeconds: 30, bodyPattern: "^healthy$" },
  schedule: {
    ...{ strategy: "canary", steps: [10, 50, 100], stepSeconds: 2, bakeSeconds: 2, drainSeconds: 10 },
    analysis: { intervalSeconds: 1, minimumRequests: 10, maxErrorRatio: 0.05 },
  },
};

(isBuilt ? describeEndToEnd : describe.skip)(TITLE, () => {
  let world: World;
  beforeAll(async () => void (world = await World.create({ environment: ENVIRONMENT })));
  afterAll(async () => expect(await world.end()).toEqual([]));

  const release = (version: string, failing?: number, ...options: string[]) =>
    world.deploy("release", version, "--artifact", packGrpcShop(world, version, failing), ...options);

  test("no call and no stream is lost in a release, though some calls fail in both", async () => {
    expect(await release("1.0.0")).toMatchObject({ outcome: "installed" });
    const clients = GrpcClients.start(world.origin());
    await until(async () => (await clients.counts()).open >= 4, "streams are open");
    const released = await release("1.1.0");
    const got: Counts = await clients.stop();
    console.log(JSON.stringify(got), JSON.stringify(released));
    expect(released).toMatchObject({ outcome: "promoted", to: "1.1.0-2" });
    expect(got).toMatchObject({ lost: [], losses: 0 });
    expect(Object.keys(got.releases).sort()).toEqual(["1.0.0-1", "1.1.0-2"]);
  });
});
