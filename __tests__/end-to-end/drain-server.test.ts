/** A server is taken out of use and returned, with HAProxy. */
import { storyOfDrainedServer } from "./drained-server";

describe("with haproxy", () => storyOfDrainedServer("haproxy"));
