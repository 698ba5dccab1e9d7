/** One goal in the list, with a mark if it is reached. */
"use strict";

const { html } = require("./html");
const { byLine } = require("./by-line");
const { progress } = require("./progress");

function goalCard(goal) {
  const reached = isReached(goal) && html`<b class="reached">Reached!</b>`;
  return html`<a href="/goals/${goal.id}">${goal.title}</a> ${progress(goal.progress)} ${reached}
    ${byLine(goal)}`;
}

const isReached = (goal) => goal.progress === 100;

module.exports = { goalCard, isReached };
