/** A pool of connections to SQL Server, up to a maximum: the driver has none. */
"use strict";

const { Connection, Request, TYPES } = require("./vendor/tedious");

/** Two instances of two releases on one machine share the database's connections. */
const CONNECTIONS = 8;
const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 15_000;

class SqlServerPool {
  #configuration;
  #idle = [];
  #open = 0;
  #waiting = [];

  /** @param {string} address as in mssql://user:password@host:port/database */
  constructor(address) {
    this.#configuration = configurationFrom(address);
  }

  /** @returns {Promise<object[]>} the rows. @param {object} values by the names of the statement's parameters */
  async query(sql, values = {}) {
    const connection = await this.#take();
    try {
      return await ask(connection, sql, values);
    } finally {
      this.#give(connection);
    }
  }

  async #take() {
    // Replaces connections that broke while idle.
    for (let known = this.#idle.pop(); known !== undefined; known = this.#idle.pop()) {
      if (!known.isGone) return known;
      this.#open -= 1;
    }
    if (this.#open >= CONNECTIONS)
      return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    return this.#connect();
  }

  async #connect() {
    this.#open += 1;
    try {
      return await connect(this.#configuration);
    } catch (error) {
      this.#open -= 1;
      // Otherwise a request that waits for this place would wait for ever.
      this.#waiting.shift()?.reject(error);
      throw error;
    }
  }

  #give(connection) {
    const next = this.#waiting.shift();
    if (!connection.isGone) {
      if (next === undefined) this.#idle.push(connection);
      else next.resolve(connection);
      return;
    }
    this.#open -= 1;
    if (next !== undefined) this.#connect().then(next.resolve, next.reject);
  }
}

function configurationFrom(address) {
  const { hostname, port, pathname, username, password, searchParams } = new URL(address);
  return {
    // A URL keeps the brackets of an IPv6 address.
    server: hostname.replace(/^\[(.*)\]$/, "$1"),
    authentication: {
      type: "default",
      options: { userName: decodeURIComponent(username), password: decodeURIComponent(password) },
    },
    options: {
      ...(port === "" ? {} : { port: Number(port) }),
      database: decodeURIComponent(pathname.slice(1)),
      encrypt: searchParams.get("encrypt") === "strict" ? "strict" : true,
      trustServerCertificate: searchParams.get("trustServerCertificate") === "true",
      appName: "socialgoal",
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
    },
  };
}

async function connect(configuration) {
  const connection = new Connection(configuration);
  connection.isGone = false;
  connection.on("end", () => (connection.isGone = true));
  // Running requests fail with the connection. Without a listener the error would end the process.
  connection.on("error", (error) => {
    connection.isGone = true;
    console.error(`database: ${error.message}`);
  });
  await new Promise((resolve, reject) => {
    connection.connect((error) => {
      if (!error) return resolve();
      connection.close();
      reject(error);
    });
  });
  return connection;
}

function ask(connection, sql, values) {
  return new Promise((resolve, reject) => {
    const rows = [];
    const request = new Request(sql, (error) => (error ? reject(error) : resolve(rows)));
    request.on("row", (columns) =>
      rows.push(Object.fromEntries(columns.map(({ metadata, value }) => [metadata.colName, value]))),
    );
    for (const [name, value] of Object.entries(values)) request.addParameter(name, typeOf(value), value);
    connection.execSql(request);
  });
}

function typeOf(value) {
  if (value instanceof Date) return TYPES.DateTime2;
  return typeof value === "number" ? TYPES.Int : TYPES.NVarChar;
}

module.exports = { SqlServerPool };
