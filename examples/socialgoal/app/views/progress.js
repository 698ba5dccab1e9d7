/** The progress of a goal. */
"use strict";

const { html } = require("./html");

function progress(percent) {
  return html`<span>${percent} %</span>`;
}

module.exports = { progress };
