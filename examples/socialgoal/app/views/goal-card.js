/** One goal in the list. */
"use strict";

const { html } = require("./html");
const { byLine } = require("./by-line");
const { progress } = require("./progress");

function goalCard(goal) {
  return html`<a href="/goals/${goal.id}">${goal.title}</a> ${progress(goal.progress)} ${byLine(goal)}`;
}

module.exports = { goalCard };
