import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { formatPreview, newPreview } from "../../../cli/project/preview";
import { Preview } from "../../../configuration/preview";

test("a secret is never the same twice, and the file knows its digests only", () => {
  const [one, other] = [newPreview(), newPreview()];
  expect(one.secret).not.toBe(other.secret);
  expect(Buffer.from(one.secret, "base64url")).toHaveLength(24);
  expect(z.parse(Preview, one.preview)).toEqual({
    sha256: createHash("sha256").update(one.secret).digest("hex"),
    md5: createHash("md5").update(one.secret).digest("hex"),
  });
  expect(JSON.stringify(one.preview)).not.toContain(one.secret);
});

test("people are told what to put where", () => {
  const made = newPreview();
  const text = formatPreview(made);
  expect(text).toContain(`"preview": ${JSON.stringify(made.preview)}`);
  expect(text).toContain(`--header 'x-bluegreen-preview: ${made.secret}'`);
});
