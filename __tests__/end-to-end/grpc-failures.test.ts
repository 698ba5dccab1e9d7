/** As `grpc.test.ts`: a candidate whose calls fail, and a recreate. */
import { describeGrpc, GrpcClients, GrpcShop } from "./grpc-service";

describeGrpc("a gRPC service, when it fails or stops", () => {
  let shop: GrpcShop;
  let clients: GrpcClients;
  beforeAll(async () => void (shop = await GrpcShop.released()));
  beforeEach(async () => void (clients = await GrpcClients.start(shop.world.origin())));
  afterAll(async () => expect(await shop.world.end()).toEqual([]));

  test("a candidate whose calls fail more often is rolled back", async () => {
    const rejected = await shop.release("1.1.0", 50);
    const got = await clients.stop();
    expect(rejected).toMatchObject({ outcome: "rolledBack", exitCode: 5, requests: { failed: 0 } });
    expect(rejected.reason).toMatch(/of \d+ answers failed/);
    expect(got).toMatchObject({ lost: [], losses: 0 });
  });

  test("a recreate lets calls wait", async () => {
    const released = await shop.release("1.2.0", 1, "--strategy", "recreate");
    const got = await clients.stop();
    expect(released).toMatchObject({ outcome: "recreated", to: "1.2.0-3", requests: { failed: 0 } });
    expect(got).toMatchObject({ lost: [], losses: 0 });
    expect(Object.keys(got.releases).sort()).toEqual(["1.0.0-1", "1.2.0-3"]);
  });
});
