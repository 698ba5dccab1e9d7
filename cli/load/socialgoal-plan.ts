/** The load for the sample application, `examples/socialgoal`: reads pages and posts goals. */
import { parseLoadPlan, type LoadPlan } from "./plan";

/**
 * @param origin where users reach the application, such as `http://127.0.0.1:8080`
 * @param rate requests a second, a fifth of them POSTs
 */
export const socialGoalPlan = (origin: string, rate = 150): LoadPlan =>
  parseLoadPlan({
    origin,
    rate,
    gets: [{ path: "/" }, { path: "/api/goals?limit=20" }, { path: "/account/login" }, { path: "/version" }],
    post: { path: "/api/goals", markerField: "title" },
    find: { path: "/api/goals/:id" },
  });
