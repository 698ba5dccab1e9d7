/** The pages about goals, and the forms on them. */
"use strict";

const { sendPage, sendSeeOther } = require("../answer");
const { readForm } = require("../body");
const { goalFrom, updateFrom } = require("../input");
const { Refusal } = require("../refusal");
const { beginVisit } = require("../visit");
const { goalPage } = require("../views/goal");
const { goalsPage } = require("../views/goals");
const { newGoalPage } = require("../views/new-goal");

const NEWEST = 50;

async function listGoals({ app, request, response }) {
  const visit = beginVisit(app, request);
  const { goals } = await app.store.goalPage({ limit: NEWEST });
  sendPage(response, 200, goalsPage({ visit, goals: await app.store.withProgress(goals) }));
}

async function showGoal({ app, request, response, parameters }) {
  const visit = beginVisit(app, request);
  const goal = await existingGoal(app, parameters.id);
  sendPage(response, 200, await pageOf(app, visit, goal));
}

async function pageOf(app, visit, goal, refused = {}) {
  const [[withProgress], updates] = await Promise.all([
    app.store.withProgress([goal]),
    app.store.updatesOf(goal.id),
  ]);
  return goalPage({ visit, goal: withProgress, updates, ...refused });
}

function showNewGoal({ app, request, response }) {
  sendPage(response, 200, newGoalPage({ visit: beginVisit(app, request) }));
}

async function addGoal({ app, request, response }) {
  const visit = beginVisit(app, request);
  const fields = await readForm(request);
  const refused = (problem) => newGoalPage({ visit, fields, problem });
  const goal = await orShowAgain(response, () => goalFrom(fields), refused);
  if (!goal) return;
  const { id } = await app.store.addGoal({ ...goal, author: visit.visitor });
  sendSeeOther(response, `/goals/${id}`);
}

async function addUpdate({ app, request, response, parameters }) {
  const visit = beginVisit(app, request);
  const goal = await existingGoal(app, parameters.id);
  const fields = await readForm(request);
  const refused = (problem) => pageOf(app, visit, goal, { fields, problem });
  const update = await orShowAgain(response, () => updateFrom(fields), refused);
  if (!update) return;
  await app.store.addUpdate(goal.id, { ...update, author: visit.visitor });
  sendSeeOther(response, `/goals/${goal.id}`);
}

/** The valid fields, or null after the form was shown again with the problem. */
async function orShowAgain(response, check, formAgain) {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    sendPage(response, error.status, await formAgain(error.message));
    return null;
  }
}

async function existingGoal(app, id) {
  const goal = await app.store.goal(id);
  if (!goal) throw new Refusal(404, "there is no such goal");
  return goal;
}

const pages = [
  { path: "/", methods: { GET: listGoals } },
  { path: "/goals", methods: { GET: listGoals, POST: addGoal } },
  { path: "/goals/new", methods: { GET: showNewGoal } },
  { path: "/goals/:id", methods: { GET: showGoal } },
  { path: "/goals/:id/updates", methods: { POST: addUpdate } },
];

module.exports = { existingGoal, orShowAgain, pages };
