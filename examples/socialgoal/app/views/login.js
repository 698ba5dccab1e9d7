/** The form to sign in. */
"use strict";

const { html } = require("./html");
const { layout, problemLine } = require("./layout");

function loginPage({ visitor, problem = null }) {
  const content = html`
    <form method="post" action="/account/login">
      <h2>Sign in</h2>
      ${problemLine(problem)}
      <label>Your name <input name="name" required maxlength="60" autocomplete="nickname" /></label>
      <button>Sign in</button>
    </form>
  `;
  return layout({ visitor, title: "Sign in", content });
}

module.exports = { loginPage };
