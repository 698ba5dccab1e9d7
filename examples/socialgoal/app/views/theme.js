/** The look of this release. */
"use strict";

const { css } = require("./html");

module.exports = {
  heading: "SocialGoal",
  style: css`
    body {
      font:
        1rem/1.5 system-ui,
        sans-serif;
      max-width: 44rem;
      margin: 0 auto;
      padding: 0 1rem;
      color: #222;
    }
    header {
      border-bottom: 4px solid #1f4e8c;
      margin-bottom: 1rem;
    }
    h1 a {
      color: #1f4e8c;
      text-decoration: none;
    }
    label {
      display: block;
      margin: 0.5rem 0;
    }
    .problem {
      color: #a00;
    }
    .about {
      color: #666;
    }
  `,
};
