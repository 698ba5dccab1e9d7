/** The newest goals. */
"use strict";

const { html } = require("./html");
const { layout } = require("./layout");
const { goalCard } = require("./goal-card");

function goalsPage({ visit, goals }) {
  const none = html`<p>No goals yet. What do you want to reach?</p>`;
  const content = html`
    <p><a href="/goals/new">Set a goal</a></p>
    ${
      goals.length === 0
        ? none
        : html`<ul>
            ${goals.map((goal) => html`<li>${goalCard(goal)}</li>`)}
          </ul>`
    }
  `;
  return layout({ ...visit, title: "Goals", content });
}

module.exports = { goalsPage };
