/** A connection that is cut after each single message of a migration, by RST and by FIN. */
import { cutEverywhere } from "./cuts";
import { EACH_DATABASE } from "./kits";

it.each(EACH_DATABASE)(
  "%s: never done without the journal, and what goes on ends as an undisturbed run",
  async (_, start) => {
    const kit = await start();
    try {
      const points = await cutEverywhere(kit, Infinity);
      expect(points).toBeGreaterThanOrEqual(200);
      process.stderr.write(`cut at ${points} points\n`);
    } finally {
      await kit.stop();
    }
  },
  3_600_000,
);
