/** For a load process that dies in the middle of its work, and not before: a module that it imports, and the word. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const EXIT_CODE = 7;

/** @returns what `--import` takes: it does nothing in other processes. */
export function endOnRequest(): { readonly module: string; request(): void } {
  const word = join(mkdtempSync(join(tmpdir(), "bluegreen-end-")), "now");
  const source = `
    import { existsSync } from "node:fs";
    const look = () => existsSync(${JSON.stringify(word)}) && process.exit(${EXIT_CODE});
    if (/worker\\.[jt]s$/.test(process.argv[1] ?? "")) setInterval(look, 10).unref();`;
  return {
    module: `data:text/javascript,${encodeURIComponent(source)}`,
    request: () => writeFileSync(word, ""),
  };
}
