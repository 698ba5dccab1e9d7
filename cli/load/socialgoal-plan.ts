/**
 * The load for the sample application, `examples/socialgoal`: reads pages, posts goals, and signs in to set goals in three
 * steps, whose answers are in an instance's memory.
 */
import { parseLoadPlan, type LoadPlan } from "./plan";

/** A form takes about four seconds. */
const REQUESTS_PER_FORM_USER = 12;
const VISIT_SECONDS = 4;

/**
 * @param origin where users reach the application, such as `http://127.0.0.1:8080`
 * @param rate requests a second, a sixth of them POSTs of goals, and up to a sixth those of the form
 */
export const socialGoalPlan = (origin: string, rate = 150): LoadPlan =>
  parseLoadPlan({
    origin,
    rate,
    visitSeconds: VISIT_SECONDS,
    reportsAddresses: true,
    gets: [{ path: "/" }, { path: "/api/goals?limit=20" }, { path: "/account/login" }, { path: "/version" }],
    post: { path: "/api/goals", markerField: "title" },
    find: { path: "/api/goals/:id" },
    form: {
      users: Math.ceil(rate / REQUESTS_PER_FORM_USER),
      steps: [
        { path: "/account/login", fields: { name: "Ada" }, status: 303 },
        { path: "/goals/new/title", bodyIncludes: "Ada" },
        ...step("title", "description", { title: ":marker" }),
        ...step("description", "confirmation", { description: "In three steps" }),
        { path: "/goals/new/confirmation", fields: {}, status: 303, location: "/goals/" },
      ],
      lost: { status: 303, location: "/goals/new/title?lost" },
      acknowledges: true,
    },
  });

/** Sends one page of the form, and reads the next one, which shows what was written so far. */
function step(page: string, next: string, fields: Readonly<Record<string, string>>) {
  return [
    { path: `/goals/new/${page}`, fields, status: 303, location: `/goals/new/${next}` },
    { path: `/goals/new/${next}`, bodyIncludes: Object.values(fields)[0] },
  ];
}
