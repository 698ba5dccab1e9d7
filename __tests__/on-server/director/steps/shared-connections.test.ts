/** A release whose pages ask for Windows authentication: only a proxy that keeps connections for their clients takes it. */
import { EXIT } from "../../../../release/exit-code";
import { Operator } from "../operator";
import { HTML, simulatedEnvironment, SimulatedWorld } from "../simulated-world";

const ASKS = { ...HTML, status: 401, kind: "", authenticatesConnection: true };

function worldWith(driver: "haproxy" | "nginx") {
  const environment = simulatedEnvironment();
  const world = new SimulatedWorld({ ...environment, proxies: { ...environment.proxies, driver } });
  return { world, operator: new Operator(world) };
}

test("with NGINX the first release is refused, with the setting's name", async () => {
  const { world, operator } = worldWith("nginx");
  world.look = () => ASKS;
  const { step, result } = await operator.release("1.0.0");
  expect({ step, exitCode: result?.exitCode }).toEqual({ step: "switch", exitCode: EXIT.rejected });
  expect(result?.reason).toContain(
    '/ asks for Windows authentication (NTLM or Negotiate), which authenticates connections, and NGINX shares them between users: set proxies.driver "haproxy"',
  );
  expect(world.traffic.live).toBeNull();
});

test("with NGINX a later one is, if one of the pages that users ask for does", async () => {
  const { world, operator } = worldWith("nginx");
  await operator.release("1.0.0");
  world.popularPages = ["/", "/intranet"];
  world.look = ({ path, version }) => (path === "/intranet" && version === "1.1.0" ? ASKS : HTML);
  const { result } = await operator.release("1.1.0");
  expect(result).toMatchObject({ exitCode: EXIT.rejected });
  expect(result?.reason).toContain("/intranet asks for Windows authentication");
  expect(world.traffic).toMatchObject({ live: "blue", weight: 0 });
});

test("nothing of that kind stops a rollback, nor a heal", async () => {
  const { world, operator } = worldWith("nginx");
  await operator.release("1.0.0");
  await operator.release("1.1.0");
  world.look = () => ASKS;
  expect((await operator.heal(["web-1"], { lost: "web-1" })).result).toMatchObject({ outcome: "healed" });
  expect((await operator.rollback()).result).toMatchObject({ exitCode: EXIT.done });
  expect(world.traffic).toMatchObject({ live: "blue", weight: 0 });
});

test("HAProxy keeps such connections for their clients", async () => {
  const { world, operator } = worldWith("haproxy");
  world.look = () => ASKS;
  expect((await operator.release("1.0.0")).result).toMatchObject({ exitCode: EXIT.done });
});
