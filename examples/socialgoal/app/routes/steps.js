/**
 * A goal in three steps: title, description, confirmation. What was written is in this process's memory until the last step, as
 * SocialGoal's forms keep it in TempData. A process that does not know it returns to the first step with a message.
 */
"use strict";

const { sendPage, sendSeeOther } = require("../answer");
const { readForm } = require("../body");
const { isSecure } = require("../cookies");
const { descriptionFrom, titleFrom } = require("../input");
const { beginVisit } = require("../visit");
const { confirmationStep, descriptionStep, titleStep } = require("../views/steps");
const { orShowAgain } = require("./pages");

const TITLE = "/goals/new/title";
const DESCRIPTION = "/goals/new/description";
const CONFIRMATION = "/goals/new/confirmation";
const LOST = `${TITLE}?lost`;

function showTitle({ app, request, response, query }) {
  const visit = beginVisit(app, request);
  const problem = query.has("lost")
    ? "What you wrote is lost: this server does not know you. Please begin again."
    : null;
  sendPage(response, 200, titleStep({ visit, problem }));
}

async function begin({ app, request, response }) {
  const visit = beginVisit(app, request);
  const fields = await readForm(request);
  const refused = (problem) => titleStep({ visit, fields, problem });
  const goal = await orShowAgain(response, () => titleFrom(fields), refused);
  if (!goal) return;
  const cookie = app.drafts.begin(goal, { secure: isSecure(request) });
  sendSeeOther(response, DESCRIPTION, { "set-cookie": cookie });
}

const showStep = (page) =>
  function show({ app, request, response }) {
    const visit = beginVisit(app, request);
    const goal = app.drafts.valuesOf(request);
    if (goal === null) return sendSeeOther(response, LOST);
    sendPage(response, 200, page({ visit, goal }));
  };

async function describe({ app, request, response }) {
  const visit = beginVisit(app, request);
  const fields = await readForm(request);
  const goal = app.drafts.valuesOf(request);
  if (goal === null) return sendSeeOther(response, LOST);
  const refused = (problem) => descriptionStep({ visit, goal, fields, problem });
  const description = await orShowAgain(response, () => descriptionFrom(fields), refused);
  if (!description) return;
  Object.assign(goal, description);
  sendSeeOther(response, CONFIRMATION);
}

async function confirm({ app, request, response }) {
  const { visitor } = beginVisit(app, request);
  const goal = app.drafts.valuesOf(request);
  if (goal === null) return sendSeeOther(response, LOST);
  const { id } = await app.store.addGoal({ description: "", ...goal, author: visitor });
  app.drafts.end(request);
  sendSeeOther(response, `/goals/${id}`);
}

const steps = [
  { path: TITLE, methods: { GET: showTitle, POST: begin } },
  { path: DESCRIPTION, methods: { GET: showStep(descriptionStep), POST: describe } },
  { path: CONFIRMATION, methods: { GET: showStep(confirmationStep), POST: confirm } },
];

module.exports = { steps };
