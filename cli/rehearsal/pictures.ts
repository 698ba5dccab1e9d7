/**
 * Pictures of a rehearsal's users: each is uploaded through the proxy, to one server, and every instance that runs must give
 * it back, before and after the next releases. Only where the environment shares their folder.
 */
import { proxyPlaces, slotEndpoints } from "../../configuration/naming";
import { SLOTS } from "../../release/slot";
import type { Project } from "../project/project";

/** The sample application's folder. */
export const PICTURES = "pictures";
const REQUEST_MS = 10_000;

export class Pictures {
  private readonly uploaded: string[] = [];

  constructor(private readonly venue: Project) {}

  /** @returns what went wrong; nothing if the environment does not share the folder. */
  async upload(): Promise<string[]> {
    if (this.venue.environment.storage?.shared.includes(PICTURES) !== true) return [];
    const name = `step-${this.uploaded.length + 1}.png`;
    const { host, port } = proxyPlaces(this.venue.environment)[0]!;
    const answer = await request(`http://${host}:${port}/api/pictures/${name}`, {
      method: "PUT",
      body: name,
    });
    if (answer?.status !== 201)
      return [`the picture ${name} was not accepted: ${answer?.status ?? "no answer"}`];
    this.uploaded.push(name);
    return this.missing();
  }

  /** The pictures that an instance does not have. An instance that does not run has none to give. */
  async missing(): Promise<string[]> {
    const endpoints = slotEndpoints(this.venue.environment);
    const all = SLOTS.flatMap((slot) => endpoints[slot].map((endpoint) => ({ slot, ...endpoint })));
    const asked = all.flatMap(({ slot, server, host, port }) =>
      this.uploaded.map(async (name) => {
        const answer = await request(`http://${host}:${port}/api/pictures/${name}`);
        // A bad release may answer 500: that is not about the picture.
        if (answer === null || answer.text === name || (answer.status !== 404 && answer.status !== 200))
          return [];
        return [
          `${server} (${slot}) answers ${answer.status} for the picture ${name}, which a user uploaded`,
        ];
      }),
    );
    return (await Promise.all(asked)).flat();
  }
}

async function request(
  url: string,
  init: RequestInit = {},
): Promise<{ status: number; text: string } | null> {
  try {
    const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(REQUEST_MS) });
    return { status: answer.status, text: await answer.text() };
  } catch {
    return null;
  }
}
