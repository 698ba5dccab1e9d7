/** Signs in and out, without passwords: the example is about sessions that survive a release. */
"use strict";

const { sendPage, sendSeeOther } = require("../answer");
const { readForm } = require("../body");
const { isSecure } = require("../cookies");
const { nameFrom } = require("../input");
const { loginPage } = require("../views/login");
const { orShowAgain } = require("./pages");

function showLogin({ app, request, response }) {
  sendPage(response, 200, loginPage({ visitor: app.sessions.visitorOf(request) }));
}

async function signIn({ app, request, response }) {
  const fields = await readForm(request);
  const refused = (problem) => loginPage({ visitor: null, problem });
  const name = await orShowAgain(response, () => nameFrom(fields), refused);
  if (name === null) return;
  sendSeeOther(response, "/", { "set-cookie": app.sessions.cookieFor(name, { secure: isSecure(request) }) });
}

function signOut({ app, request, response }) {
  sendSeeOther(response, "/", { "set-cookie": app.sessions.noCookie({ secure: isSecure(request) }) });
}

const account = [
  { path: "/account/login", methods: { GET: showLogin, POST: signIn } },
  { path: "/account/logout", methods: { POST: signOut } },
];

module.exports = { account };
