/** Who wrote a goal or an update, and when. */
"use strict";

const { html } = require("./html");

function byLine({ author, createdAt }) {
  return html`<span class="about"
    >${author ?? "somebody"}, ${createdAt.slice(0, 16).replace("T", " ")}</span
  >`;
}

module.exports = { byLine };
