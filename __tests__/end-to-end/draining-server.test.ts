/** A server is taken out of use and returned, with the other proxies. */
import type { DriverName } from "../../configuration/drivers";
import { storyOfDrainedServer } from "./drained-server";

describe.each<DriverName>(["nginx", "embedded"])("with %s", (driver) => storyOfDrainedServer(driver));
