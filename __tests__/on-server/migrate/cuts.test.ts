/** A connection that is cut while a database is migrated: at some points here, at all of them in `npm run test:long`. */
import { cutEverywhere } from "./cuts";
import { EACH_DATABASE } from "./kits";

const POINTS = 16;

it.each(EACH_DATABASE)(
  "%s: never done without the journal, and what goes on ends as an undisturbed run",
  async (_, start) => {
    const kit = await start();
    try {
      expect(await cutEverywhere(kit, POINTS)).toBeGreaterThanOrEqual(POINTS);
    } finally {
      await kit.stop();
    }
  },
);
