import { World, until } from "./world";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
jest.setTimeout(60000);
it("x", async () => {
  const world = await World.create();
  await world.release("1.0.0");
  const running = await world.startRelease("1.1.0", undefined, "--strategy","canary","--steps","20,60,100","--step-seconds","3");
  const st = () => JSON.parse(readFileSync(world.path(".bluegreen/local/servers/proxy-1/state.json"),"utf8"));
  await until(() => st().weight === 20, "x");
  console.log(world.processes().join("\n"));
  for (const l of world.processes().filter(l => /terraform apply/.test(l))) { console.log("kill", l); process.kill(Number(l.split(" ")[0]), "SIGKILL"); }
  const t = Date.now();
  for (let i = 0; i < 12; i++) { await pause(400); console.log(Date.now() - t, st().weight, st().phase, world.processes().filter(l => !/node server|haproxy/.test(l)).join("\n")); }
  console.log(await running.ended);
  console.log(readFileSync(world.path(".bluegreen/local/servers/proxy-1/events.jsonl"),"utf8"));
  console.log(await world.end());
});
