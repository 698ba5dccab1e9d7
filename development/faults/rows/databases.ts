/** The database is down or slow, or a table is locked. What users get then depends on the application, not the release. */
import type { Client } from "pg";
import { lasting } from "../injection-points";
import type { EndState, Row } from "../row";
import { kill } from "../stage";
import type { Stage } from "../stage";

const DOWN: EndState["costs"] = {
  requests: 1_500,
  gapMs: 20_000,
  because: "the application needs its database",
};

/** Messages of the database's client. */
const CUT = /ECONNRESET|Connection terminated|connection (?:was )?(?:lost|closed|terminated)/i;

export const DATABASES: readonly Row[] = [
  {
    name: "database-down",
    fault: "the database goes down",
    how: "the project's PostgreSQL is stopped (fast), and started 2 s later, or before the next command",
    needs: ["postgres"],
    world: "database",
    phases: {
      begin: {
        exit: [1, 3, 4],
        serves: "old",
        message: /migrate|database|ECONNREFUSED/,
        costs: DOWN,
        goesOn: ["retry"],
      },
      migrate: { exit: [1, 3, 4], serves: "old", costs: DOWN, goesOn: ["retry"] },
      shift: { exit: [0, 5], serves: "verified", costs: DOWN, goesOn: ["next release"] },
    },
    inject: async (stage, _, phase) => {
      stage.database.stop();
      if (phase !== "shift") return;
      await lasting(2_000);
      stage.database.start();
    },
    repair: (stage, phase) => {
      if (phase !== "shift") stage.database.start();
      return Promise.resolve();
    },
  },
  {
    name: "database-cut",
    fault: "the connection to the database is cut",
    how: "a TCP proxy in front of PostgreSQL resets (RST) the migrator's connections and each new one, on both sides; connected instances bypass it",
    needs: ["postgres"],
    world: "database",
    phases: {
      begin: {
        exit: [1],
        serves: "old",
        message: /ECONNRESET|ended unexpectedly|hang up/,
        goesOn: ["retry"],
      },
      migrate: { exit: [1, 4], serves: "old", message: CUT, goesOn: ["retry"] },
      "between scripts": { exit: [1, 4], serves: "old", message: CUT, goesOn: ["retry"] },
    },
    before: async (stage, phase) => {
      await stage.database.linked();
      stage.atTheEnd(() => stage.database.unlink());
      if (phase === "between scripts") stage.database.quickMigration(stage.world.record.sequence + 1);
    },
    inject: (stage) => {
      stage.database.cutLink();
      return Promise.resolve();
    },
    repair: (stage) => {
      stage.database.unlink();
      return Promise.resolve();
    },
  },
  {
    name: "database-slow",
    fault: "the database is slow",
    how: "all PostgreSQL processes are stopped (SIGSTOP) for 150 of every 250 ms",
    needs: ["postgres"],
    world: "database",
    phases: { shift: { exit: [0], serves: "new", goesOn: ["next release"] } },
    inject: (stage, { running }) => {
      const pids = stage.database.pids();
      const timer = setInterval(() => {
        kill(pids, "SIGSTOP");
        setTimeout(() => kill(pids, "SIGCONT"), 150);
      }, 250);
      const end = () => {
        clearInterval(timer);
        setTimeout(() => kill(pids, "SIGCONT"), 200);
      };
      void running.ended.then(end);
      return Promise.resolve();
    },
  },
  {
    name: "database-locked",
    fault: "another session holds a lock",
    how: "a session reads the table and leaves its transaction open: an ALTER TABLE waits for it, and all others wait behind the ALTER",
    needs: ["postgres"],
    world: "database",
    phases: {
      before: {
        exit: [4],
        serves: "old",
        message: /lock/,
        costs: {
          requests: 0,
          gapMs: 8_000,
          because: "statements behind the waiting ALTER TABLE wait up to 5 s",
        },
        goesOn: ["retry"],
      },
    },
    before: async (stage) => {
      const client = await stage.database.connect();
      await client.query("BEGIN");
      await client.query("SELECT count(*) FROM goals");
      sessions.set(stage, client);
    },
    inject: () => Promise.resolve(),
    repair: (stage) => sessions.get(stage)!.end(),
  },
];

const sessions = new WeakMap<Stage, Client>();
