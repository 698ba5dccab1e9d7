/** A real gRPC service (ASP.NET Core, HTTP/2 without TLS) is released with HAProxy, under calls of real clients. */
import { describeGrpc, GrpcClients, GrpcShop } from "./grpc-service";

describeGrpc("a gRPC service", () => {
  let shop: GrpcShop;
  beforeAll(async () => void (shop = await GrpcShop.released()));
  afterAll(async () => expect(await shop.world.end()).toEqual([]));

  test("no call and no stream is lost in a release, though some calls fail in both", async () => {
    const clients = await GrpcClients.start(shop.world.origin());
    const released = await shop.release("1.1.0");
    const got = await clients.stop();
    expect(released).toMatchObject({ outcome: "promoted", to: "1.1.0-2", requests: { failed: 0 } });
    expect(got).toMatchObject({ lost: [], losses: 0 });
    expect(Object.keys(got.releases).sort()).toEqual(["1.0.0-1", "1.1.0-2"]);
    // Otherwise the calls prove nothing.
    for (const count of [got.unary, got.streams, got.longStreams, got.failing])
      expect(count).toBeGreaterThan(10);
  });
});
