/** Reads a request's body: at most 64 KiB, as JSON or as a form. */
"use strict";

const { Refusal } = require("./refusal");

const LIMIT_BYTES = 64 * 1024;

function readBytes(request) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    const onData = (chunk) => {
      size += chunk.length;
      if (size <= LIMIT_BYTES) return chunks.push(chunk);
      // Reads and drops the rest: closing a connection with unread bytes would lose the answer.
      request.off("data", onData).resume();
      reject(new Refusal(413, `the body is larger than ${LIMIT_BYTES} bytes`));
    };
    request.on("data", onData);
    request.on("end", () => resolve(Buffer.concat(chunks)));
    request.on("error", reject);
  });
}

async function readJson(request) {
  const text = (await readBytes(request)).toString("utf8");
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(400, "the body is not JSON");
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new Refusal(400, "the body must be a JSON object");
  }
  return value;
}

async function readForm(request) {
  return Object.fromEntries(new URLSearchParams((await readBytes(request)).toString("utf8")));
}

module.exports = { readBytes, readForm, readJson };
