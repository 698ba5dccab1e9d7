/**
 * Paths that only directors may request, directly from the instances: the notifications of `activation`. Users' requests
 * for them get 404 from every proxy.
 */
import type { Activation } from "./http-exchange";

/** In the form of {@link normalPath}, without duplicates. */
export function privatePaths({
  activation,
}: {
  readonly activation?: Activation | null | undefined;
}): string[] {
  if (!activation) return [];
  return [...new Set([activation.activate.path, activation.deactivate.path].map(normalPath))];
}

/**
 * A request's path as web servers resolve it: without its query, decoded, in lower case (IIS ignores case), with single
 * slashes, without dot segments, trailing slashes and path parameters.
 */
export function normalPath(path: string): string {
  const [raw = ""] = path.split(/[?#]/, 1);
  const segments: string[] = [];
  for (const segment of decoded(raw)
    .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
    .split(/[/\\]+/)) {
    const [name = ""] = segment.split(";", 1);
    if (name === "..") segments.pop();
    else if (name !== "" && name !== ".") segments.push(name);
  }
  return `/${segments.join("/")}`;
}

/** Each percent-encoded byte by itself, so that an invalid one does not hide the rest. */
function decoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hexadecimal: string) =>
    String.fromCharCode(Number.parseInt(hexadecimal, 16)),
  );
}
