/** The pages of the form in three steps. */
"use strict";

const { html } = require("./html");
const { layout, problemLine } = require("./layout");

function titleStep({ visit, fields = {}, problem = null }) {
  return step({
    ...{ visit, problem, number: 1, path: "title", button: "Next" },
    content: html`<label
      >Title <input name="title" required maxlength="200" value="${fields.title}"
    /></label>`,
  });
}

function descriptionStep({ visit, goal, fields = goal, problem = null }) {
  return step({
    ...{ visit, problem, number: 2, path: "description", button: "Next" },
    content: html`<h3>${goal.title}</h3>
      <label
        >Description <textarea name="description" maxlength="5000">${fields.description}</textarea>
      </label>`,
  });
}

function confirmationStep({ visit, goal }) {
  return step({
    ...{ visit, number: 3, path: "confirmation", button: "Save" },
    content: html`<h3>${goal.title}</h3>
      <p>${goal.description}</p>`,
  });
}

function step({ visit, number, path, problem = null, content, button }) {
  const form = html`
    <form method="post" action="/goals/new/${path}">
      <h2>Set a goal: step ${number} of 3</h2>
      ${problemLine(problem)} ${content}
      <button>${button}</button>
    </form>
  `;
  return layout({ ...visit, title: "Set a goal", content: form });
}

module.exports = { confirmationStep, descriptionStep, titleStep };
