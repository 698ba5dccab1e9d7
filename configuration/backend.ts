/** Where Terraform stores the state of the two stacks. They are separate, because each needs different rights. */
import * as z from "zod/mini";
import { matches } from "../release/patterns";

const WORKSPACE_PART = /^[A-Za-z0-9_-]{1,60}$/;

export const Backend = z.discriminatedUnion(
  "kind",
  [
    /** A file below the environment's folder, on this machine. */
    z.strictObject({ kind: z.literal("local") }),
    /** A blob per stack, accessed with the caller's Entra identity. The storage account must exist. */
    z.strictObject({
      kind: z.literal("azurerm"),
      resourceGroup: matches(/^[\w().-]{1,90}$/, "name of a resource group"),
      storageAccount: matches(/^[a-z0-9]{3,24}$/, "name of a storage account: 3 to 24 of a-z and 0-9"),
      container: matches(/^[a-z0-9](-?[a-z0-9]){2,62}$/, "name of a container"),
    }),
    /** Terraform Cloud: the workspaces `<application>-<environment>-base` and `-web`. */
    z.strictObject({
      kind: z.literal("cloud"),
      organization: matches(WORKSPACE_PART, "name of an organization"),
      /** @default - TF_CLOUD_HOSTNAME, otherwise Terraform's own default; OpenTofu has none */
      hostname: z.optional(
        matches(/^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(:\d{1,5})?$/, "host name, as app.terraform.io"),
      ),
      project: z.optional(matches(/^[\p{L}\p{N} _-]{3,40}$/u, "name of a project")),
    }),
  ],
  { error: () => `must be "local", "azurerm" or "cloud"` },
);
export type Backend = z.infer<typeof Backend>;
