/** Author and time of a goal or an update. */
"use strict";

const { html } = require("./html");

function byLine({ author, createdAt }) {
  return html`<span class="about"
    >${author ?? "anonymous"}, ${createdAt.slice(0, 16).replace("T", " ")}</span
  >`;
}

module.exports = { byLine };
