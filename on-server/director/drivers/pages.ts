/**
 * What users see if no instance answers, the same from every kind of proxy. The HTML has no quotes, because proxy
 * configurations quote it.
 */
export interface Page {
  readonly title: string;
  readonly text: string;
}

export const NOTHING_DEPLOYED: Page = {
  title: "Nothing is deployed yet",
  text: "The first release is on its way.",
};
export const UPDATING: Page = { title: "The site is being updated", text: "It is back in a moment." };
export const RETRY_AFTER_SECONDS = "5";

export function htmlOf({ title, text }: Page): string {
  return `<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=width&#61;device-width><title>${title}</title><style>body{font-family:sans-serif;margin:20vh auto;max-width:30em}</style><h1>${title}</h1><p>${text}</p>`;
}
