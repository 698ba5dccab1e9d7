/** The progress of a goal, as a bar. */
"use strict";

const { html } = require("./html");

function progress(percent) {
  return html`<progress max="100" value="${percent}">${percent} %</progress> <span>${percent} %</span>`;
}

module.exports = { progress };
