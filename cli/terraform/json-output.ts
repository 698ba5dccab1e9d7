/** What Terraform prints as JSON on stdout. OpenTofu prints its warnings there, too, before the JSON. */

/** @returns the JSON without the warnings before it; the whole text if there is none. */
export function jsonOf(stdout: string): string {
  for (const { index } of stdout.matchAll(/^\{/gm)) {
    const text = stdout.slice(index);
    if (isJson(text)) return text;
  }
  return stdout;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
