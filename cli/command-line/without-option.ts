/** The option with which an abort, a rollback or a retry leaves proxies out that don't answer. */
export interface WithoutOptions {
  readonly without?: string;
}

export const WITHOUT = [
  "--without <proxies>",
  "leave out proxies that don't answer, as in proxy-2 or proxy-2,proxy-3; they catch up later",
] as const;

export function withoutFrom({ without }: WithoutOptions): string[] {
  return without === undefined ? [] : without.split(",").map((name) => name.trim());
}
