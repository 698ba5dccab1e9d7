/** Goals and updates as JSON. */
"use strict";

const { sendJson } = require("../answer");
const { readJson } = require("../body");
const { goalFrom, updateFrom } = require("../input");
const { Refusal } = require("../refusal");
const { isId } = require("../store");
const { beginVisit } = require("../visit");
const { existingGoal } = require("./pages");

const DEFAULT_LIMIT = 100;
const HIGHEST_LIMIT = 1_000;

/** ?limit (1 to 1000) and ?after (`next` of the previous page); ?ids=only does not read the files. */
async function listGoals({ app, request, response, query }) {
  beginVisit(app, request);
  const page = pageFrom(query);
  const idsOnly = query.get("ids") === "only";
  sendJson(response, 200, idsOnly ? await app.store.goalIds(page) : await app.store.goalPage(page));
}

function pageFrom(query) {
  const limit = query.get("limit") ?? String(DEFAULT_LIMIT);
  if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > HIGHEST_LIMIT) {
    throw new Refusal(400, `'limit' must be a whole number from 1 to ${HIGHEST_LIMIT}`);
  }
  const after = query.get("after") ?? undefined;
  if (after !== undefined && !isId(after)) throw new Refusal(400, "'after' must be the id of a goal");
  return { limit: Number(limit), after };
}

async function showGoal({ app, request, response, parameters }) {
  beginVisit(app, request);
  const goal = await existingGoal(app, parameters.id);
  const updates = await app.store.updatesOf(goal.id);
  sendJson(response, 200, { ...goal, progress: updates.at(-1)?.progress ?? 0, updates });
}

async function addGoal({ app, request, response }) {
  const { visitor } = beginVisit(app, request);
  const goal = await app.store.addGoal({ ...goalFrom(await readJson(request)), author: visitor });
  sendJson(response, 201, goal, { location: `/api/goals/${goal.id}` });
}

async function addUpdate({ app, request, response, parameters }) {
  const { visitor } = beginVisit(app, request);
  const goal = await existingGoal(app, parameters.id);
  const update = updateFrom(await readJson(request));
  sendJson(response, 201, await app.store.addUpdate(goal.id, { ...update, author: visitor }));
}

const api = [
  { path: "/api/goals", methods: { GET: listGoals, POST: addGoal } },
  { path: "/api/goals/:id", methods: { GET: showGoal } },
  { path: "/api/goals/:id/updates", methods: { POST: addUpdate } },
];

module.exports = { api };
