/** A page with a title and a message, such as "404". */
"use strict";

const { html } = require("./html");
const { layout } = require("./layout");

function messagePage({ title, message }) {
  return layout({
    title,
    content: html`<h2>${title}</h2>
      <p>${message}</p>
      <p><a href="/">All goals</a></p>`,
  });
}

module.exports = { messagePage };
