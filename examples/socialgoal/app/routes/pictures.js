/**
 * Pictures, as files in the folder `pictures` of the application itself, as SocialGoal keeps its ProfilePics. Each release and
 * each server has a folder of its own, unless the environment shares it: `"storage": { "shared": ["pictures"] }`.
 */
"use strict";

const { randomUUID } = require("node:crypto");
const { mkdir, readFile, rename, writeFile } = require("node:fs/promises");
const path = require("node:path");
const { sendJson } = require("../answer");
const { readBytes } = require("../body");
const { Refusal } = require("../refusal");

const FOLDER = path.join(__dirname, "..", "pictures");
const NAME = /^[0-9A-Za-z-]{1,60}\.(png|jpg)$/;

function fileOf({ name }) {
  if (!NAME.test(name))
    throw new Refusal(400, "a picture's name is letters, digits and -, with .png or .jpg");
  return path.join(FOLDER, name);
}

async function keepPicture({ request, response, parameters }) {
  const file = fileOf(parameters);
  const bytes = await readBytes(request);
  await mkdir(FOLDER, { recursive: true });
  const whole = `${file}.${randomUUID()}`;
  await writeFile(whole, bytes);
  await rename(whole, file);
  sendJson(response, 201, { bytes: bytes.length });
}

async function showPicture({ response, parameters }) {
  const bytes = await readFile(fileOf(parameters)).catch(() => null);
  if (bytes === null) throw new Refusal(404, "there is no such picture");
  const type = parameters.name.endsWith(".png") ? "image/png" : "image/jpeg";
  response.writeHead(200, { "content-type": type, "content-length": bytes.length });
  response.end(bytes);
}

const pictures = [{ path: "/api/pictures/:name", methods: { GET: showPicture, PUT: keepPicture } }];

module.exports = { pictures };
