/**
 * A form of several steps in a load plan. Its users show whether an application that keeps sessions in its memory still
 * knows them at the next step: an answer like `lost` means that it does not.
 */
import { z } from "zod";

export const RequestPath = z
  .string()
  .regex(/^\/[\x21-\x7e]*$/, `must start with "/" and be printable ASCII without spaces`);

/** What an answer has: all that is named. */
const answer = {
  /** How its Location begins, as path and query. @default - not checked */
  location: RequestPath.optional(),
  /** Text in its body. @default - not checked */
  bodyIncludes: z.string().min(1).optional(),
};

export const formSchema = z.strictObject({
  /** How many users fill the form at any time; each with its own cookies. After the last step a new user begins. @default 10 */
  users: z.int().positive().max(10_000).default(10),

  /** How long a user thinks before each POST: from half of it to one and a half. @default 1 */
  thinkSeconds: z.number().min(0).max(3_600).default(1),

  /** The requests of a user, in order. */
  steps: z
    .array(
      z.strictObject({
        path: RequestPath,
        /** Makes it a POST of a form with these fields. `:marker` in a value becomes a text that no other user sends. */
        fields: z.record(z.string().min(1), z.string()).optional(),
        /** @default 200 */
        status: z.int().default(200),
        /** As `lost` has them. `:marker` in `bodyIncludes` stands for the same text. */
        ...answer,
      }),
    )
    .min(2),

  /** The answer to a user whose session the application does not know. It is no failed request. */
  lost: z.strictObject({ status: z.int(), ...answer }),

  /**
   * Whether the last step's Location has, after its `location`, the id of what was saved, so that it is looked for at the
   * end, as a POST is. @default false
   */
  acknowledges: z.boolean().default(false),
});

/** The form of a plan with every default filled in. */
export type FormPlan = z.output<typeof formSchema>;
