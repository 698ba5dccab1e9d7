import {createRequire} from "node:module";const require=createRequire(import.meta.url);
var __defProp = Object.defineProperty;
var __export = (target2, all) => {
  for (var name in all)
    __defProp(target2, name, { get: all[name], enumerable: true });
};

// on-server/director/drivers/nginx/nginx-configuration.ts
import { createHash } from "node:crypto";

// node_modules/zod/v4/core/util.js
function getEnumValues(entries) {
  const numericValues = Object.values(entries).filter((v) => typeof v === "number");
  const values = Object.entries(entries).filter(([k, _]) => numericValues.indexOf(+k) === -1).map(([_, v]) => v);
  return values;
}
function jsonStringifyReplacer(_, value) {
  if (typeof value === "bigint")
    return value.toString();
  return value;
}
var Cached = class {
  constructor(getter) {
    this._getter = getter;
    this._value = void 0;
  }
  get value() {
    const getter = this._getter;
    if (getter !== void 0) {
      this._value = getter();
      this._getter = void 0;
    }
    return this._value;
  }
};
function cached(getter) {
  return new Cached(getter);
}
function nullish(input) {
  return input === null || input === void 0;
}
function cleanRegex(source) {
  const start = source.startsWith("^") ? 1 : 0;
  const end = source.endsWith("$") ? source.length - 1 : source.length;
  return source.slice(start, end);
}
function assignProp(target2, prop, value) {
  Object.defineProperty(target2, prop, {
    value,
    writable: true,
    enumerable: true,
    configurable: true
  });
}
function rawShape(def) {
  const desc = Object.getOwnPropertyDescriptor(def, "shape");
  return desc?.get ? desc.get.raw : desc?.value;
}
function sourceShape(schema) {
  return rawShape(schema._zod.def) ?? schema._zod.def.shape;
}
function deferProp(target2, key, getter) {
  Object.defineProperty(target2, key, {
    get() {
      const value = getter();
      assignProp(this, key, value);
      return value;
    },
    enumerable: true,
    configurable: true
  });
}
function putProp(target2, key, value) {
  if (key in target2)
    assignProp(target2, key, value);
  else
    target2[key] = value;
}
function mirrorShape(target2, source, keys, wrap) {
  const raw = sourceShape(source);
  for (const key of keys) {
    const desc = Object.getOwnPropertyDescriptor(raw, key);
    if (!desc.enumerable)
      continue;
    if (desc.get) {
      deferProp(target2, key, () => {
        const value = source._zod.def.shape[key];
        return wrap ? wrap(value, key) : value;
      });
    } else
      putProp(target2, key, wrap ? wrap(desc.value, key) : desc.value);
  }
}
function mergeDefs(...defs) {
  const mergedDescriptors = {};
  for (const def of defs) {
    const descriptors = Object.getOwnPropertyDescriptors(def);
    Object.assign(mergedDescriptors, descriptors);
  }
  return Object.defineProperties({}, mergedDescriptors);
}
var captureStackTrace = "captureStackTrace" in Error ? Error.captureStackTrace : (..._args) => {
};
function isObject(data) {
  return typeof data === "object" && data !== null && !Array.isArray(data);
}
function isPlainObject(o) {
  if (isObject(o) === false)
    return false;
  const ctor = o.constructor;
  if (ctor === void 0)
    return true;
  if (typeof ctor !== "function")
    return true;
  const prot = ctor.prototype;
  if (isObject(prot) === false)
    return false;
  if (Object.prototype.hasOwnProperty.call(prot, "isPrototypeOf") === false) {
    return false;
  }
  return true;
}
function shallowClone(o) {
  if (isPlainObject(o))
    return { ...o };
  if (Array.isArray(o))
    return [...o];
  if (o instanceof Map)
    return new Map(o);
  if (o instanceof Set)
    return new Set(o);
  return o;
}
var propertyKeyTypes = /* @__PURE__ */ new Set(["string", "number", "symbol"]);
function escapeRegex(str) {
  return str.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
function clone(inst, def, params) {
  const cl = new inst._zod.constr(def ?? inst._zod.def);
  if (!def || params?.parent)
    cl._zod.parent = inst;
  return cl;
}
function normalizeParams(_params) {
  const params = _params;
  if (!params)
    return {};
  if (typeof params === "string")
    return { error: () => params };
  if (params?.message !== void 0) {
    if (params?.error !== void 0)
      throw new Error("Cannot specify both `message` and `error` params");
    params.error = params.message;
  }
  delete params.message;
  if (typeof params.error === "string")
    return { ...params, error: () => params.error };
  return params;
}
function optionalKeys(shape) {
  return Object.keys(shape).filter((k) => {
    return shape[k]._zod.optin !== void 0 && shape[k]._zod.optout === "optional";
  });
}
var NUMBER_FORMAT_RANGES = /* @__PURE__ */ (() => ({
  safeint: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  int32: [-2147483648, 2147483647],
  uint32: [0, 4294967295],
  float32: [-34028234663852886e22, 34028234663852886e22],
  float64: [-Number.MAX_VALUE, Number.MAX_VALUE]
}))();
function maskedKeys(schema, mask) {
  const raw = sourceShape(schema);
  const keys = [];
  for (const key of Reflect.ownKeys(mask)) {
    if (!Object.getOwnPropertyDescriptor(raw, key)?.enumerable) {
      throw new Error(`Unrecognized key: "${String(key)}"`);
    }
    if (mask[key])
      keys.push(key);
  }
  return keys;
}
function partial(Class, schema, mask, name = "partial") {
  const currDef = schema._zod.def;
  const checks = currDef.checks;
  const hasChecks = checks && checks.length > 0;
  if (hasChecks) {
    throw new Error(`.${name}() cannot be used on object schemas containing refinements`);
  }
  const selected = mask ? new Set(maskedKeys(schema, mask)) : void 0;
  const newShape = {};
  mirrorShape(newShape, schema, Reflect.ownKeys(sourceShape(schema)), Class && ((value, key) => selected && !selected.has(key) ? value : new Class({ type: "optional", innerType: value })));
  return clone(schema, mergeDefs(schema._zod.def, { shape: newShape, checks: [] }));
}
function aborted(x, startIndex = 0) {
  if (x.aborted === true)
    return true;
  for (let i = startIndex; i < x.issues.length; i++) {
    if (x.issues[i]?.continue !== true) {
      return true;
    }
  }
  return false;
}
function explicitlyAborted(x, startIndex = 0) {
  if (x.aborted === true)
    return true;
  for (let i = startIndex; i < x.issues.length; i++) {
    if (x.issues[i]?.continue === false) {
      return true;
    }
  }
  return false;
}
function prefixIssues(path, issues) {
  return issues.map((iss) => {
    var _a2;
    (_a2 = iss).path ?? (_a2.path = []);
    iss.path.unshift(path);
    return iss;
  });
}
function unwrapMessage(message) {
  return typeof message === "string" ? message : message?.message;
}
function sizeCaps(defChecks) {
  const caps = [];
  for (const ch of defChecks ?? []) {
    const d = ch._zod.def;
    if (!/_(length|size)$|_equals$/.test(d.check))
      break;
    const max = d.maximum ?? d.length ?? d.size;
    if (max >= 0)
      caps.push([max, ch]);
  }
  return caps;
}
function attachSchema(issues, start, inst) {
  var _a2;
  for (let i = start; i < issues.length; i++) {
    (_a2 = issues[i]).schema ?? (_a2.schema = inst);
  }
}
function finalizeIssue(iss, ctx, config2) {
  var _a2;
  const traits = iss.inst?._zod?.traits;
  if (traits?.has("$ZodType")) {
    if (traits.has("$ZodCheck"))
      (_a2 = iss).schema ?? (_a2.schema = iss.inst);
    else
      iss.schema = iss.inst;
  }
  const schemaError = iss.schema !== iss.inst ? iss.schema?._zod.def?.error : void 0;
  const message = iss.message ? iss.message : unwrapMessage(iss.inst?._zod.def?.error?.(iss)) ?? unwrapMessage(schemaError?.(iss)) ?? unwrapMessage(ctx?.error?.(iss)) ?? unwrapMessage(config2.customError?.(iss)) ?? unwrapMessage(config2.localeError?.(iss)) ?? "Invalid input";
  const full = {};
  for (const k of Object.keys(iss)) {
    if (k === "inst" || k === "schema" || k === "continue" || k === "input" || k === "__proto__")
      continue;
    full[k] = iss[k];
  }
  full.path ?? (full.path = []);
  full.message = message;
  if (ctx?.reportInput) {
    full.input = iss.input;
  }
  return full;
}
var highSurrogate = /[\uD800-\uDBFF]/;
function codePointLength(str) {
  const units = str.length;
  if (!highSurrogate.test(str))
    return units;
  let count = units;
  for (let i = 0; i < units - 1; i++) {
    if ((str.charCodeAt(i) & 64512) === 55296 && (str.charCodeAt(i + 1) & 64512) === 56320) {
      count--;
      i++;
    }
  }
  return count;
}
function getLengthableOrigin(input) {
  if (Array.isArray(input))
    return "array";
  if (typeof input === "string")
    return "string";
  return "unknown";
}
function issue(...args) {
  const [iss, input, inst] = args;
  if (typeof iss === "string") {
    return {
      message: iss,
      code: "custom",
      input,
      inst
    };
  }
  return { ...iss };
}
function members(proto, table) {
  for (const key in table) {
    const desc = Object.getOwnPropertyDescriptor(table, key);
    if (desc.get)
      Object.defineProperty(proto, key, { ...desc, enumerable: false });
    else
      defineBound(proto, key, desc.value);
  }
}
function own(inst, key, value, enumerable = true) {
  Object.defineProperty(inst, key, { configurable: true, writable: true, enumerable, value });
  return value;
}
function hide(inst, key, value) {
  return own(inst, key, value, false);
}
function defineBound(proto, key, fn) {
  Object.defineProperty(proto, key, {
    configurable: true,
    get() {
      return this == null ? fn : own(this, key, fn.bind(this));
    },
    set(value) {
      own(this, key, value);
    }
  });
}
function claim(inst, sentinel) {
  const proto = Object.getPrototypeOf(inst);
  return sentinel in proto ? void 0 : proto;
}
var installing;
var broke = false;
var breaker = {
  configurable: true,
  get() {
    broke = true;
    return void 0;
  }
};
function defineLazyInternal(inst, key, compute) {
  const proto = Object.getPrototypeOf(inst._zod);
  if (key in proto && installing !== inst._zod) {
    installing = void 0;
    return;
  }
  installing = inst._zod;
  Object.defineProperty(proto, key, {
    configurable: true,
    get() {
      Object.defineProperty(this, key, breaker);
      const outer = broke;
      broke = false;
      try {
        const value = compute(this);
        if (broke)
          delete this[key];
        else
          Object.defineProperty(this, key, { configurable: true, writable: true, value });
        broke = broke || outer;
        return value;
      } catch (err) {
        delete this[key];
        broke = broke || outer;
        throw err;
      }
    },
    set(value) {
      Object.defineProperty(this, key, { configurable: true, writable: true, value });
    }
  });
}
function installLazyProp(inst, key, make, enumerable) {
  const proto = claim(inst, key);
  if (!proto)
    return;
  Object.defineProperty(proto, key, {
    configurable: true,
    get() {
      const desc = { configurable: true, writable: true, enumerable, value: void 0 };
      Object.defineProperty(this, key, desc);
      desc.value = make(this);
      Object.defineProperty(this, key, desc);
      return desc.value;
    },
    set(value) {
      Object.defineProperty(this, key, { configurable: true, writable: true, enumerable, value });
    }
  });
}

// node_modules/zod/v4/core/core.js
var _a;
var _zodDesc = { value: void 0, enumerable: false };
var _E = "captureStackTrace" in Error ? Error : null;
function newError(Definition) {
  const E = _E;
  if (E) {
    const saved = E.stackTraceLimit;
    if (typeof saved === "number") {
      try {
        E.stackTraceLimit = 0;
      } catch {
        _E = null;
        return new Definition();
      }
      try {
        return new Definition();
      } finally {
        E.stackTraceLimit = saved;
      }
    }
  }
  return new Definition();
}
// @__NO_SIDE_EFFECTS__
function $constructor(name, initializer2, proto, params) {
  const zodProto = {};
  function Internals(def) {
    this.def = def;
    this.constr = _;
    this.traits = /* @__PURE__ */ new Set();
  }
  Internals.prototype = zodProto;
  const protoMembers = proto;
  const initialized = protoMembers && /* @__PURE__ */ new WeakSet();
  function init(inst, def) {
    if (!inst._zod) {
      _zodDesc.value = new Internals(def);
      try {
        Object.defineProperty(inst, "_zod", _zodDesc);
      } finally {
        _zodDesc.value = void 0;
      }
    } else if (inst._zod.traits.has(name)) {
      return;
    }
    inst._zod.traits.add(name);
    initializer2(inst, def);
    if (initialized) {
      const own2 = Object.getPrototypeOf(inst);
      const ctorProto = inst._zod.constr.prototype;
      let up = own2;
      while (up && up !== ctorProto)
        up = Object.getPrototypeOf(up);
      const target2 = up ?? own2;
      if (!initialized.has(target2)) {
        initialized.add(target2);
        members(target2, protoMembers);
      }
    }
    const proto2 = _.prototype;
    for (const k in proto2) {
      if (!Object.prototype.hasOwnProperty.call(proto2, k))
        continue;
      if (!(k in inst)) {
        inst[k] = proto2[k].bind(inst);
      }
    }
  }
  const Parent = params?.Parent ?? Object;
  class Definition extends Parent {
  }
  Object.defineProperty(Definition, "name", { value: name });
  function _(def) {
    const inst = params?.Parent ? newError(Definition) : this;
    init(inst, def);
    const deferred = inst._zod.deferred;
    if (deferred) {
      for (const fn of deferred) {
        fn();
      }
      inst._zod.deferred = void 0;
    }
    const pp = globalThis.__zod_globalConfig?.postProcessor;
    if (pp)
      pp(inst);
    return inst;
  }
  Object.defineProperty(_, "init", { value: init });
  Object.defineProperty(_, Symbol.hasInstance, {
    value: (inst) => {
      if (params?.Parent && inst instanceof params.Parent)
        return true;
      return inst?._zod?.traits?.has(name);
    }
  });
  Object.defineProperty(_, "name", { value: name });
  return _;
}
var $ZodAsyncError = class extends Error {
  constructor() {
    super(`Encountered Promise during synchronous parse. Use .parseAsync() instead.`);
  }
};
var $ZodEncodeError = class extends Error {
  constructor(name) {
    super(`Encountered unidirectional transform during encode: ${name}`);
    this.name = "ZodEncodeError";
  }
};
(_a = globalThis).__zod_globalConfig ?? (_a.__zod_globalConfig = {});
var globalConfig = globalThis.__zod_globalConfig;
function config(newConfig) {
  if (newConfig)
    Object.assign(globalConfig, newConfig);
  return globalConfig;
}

// node_modules/zod/v4/core/errors.js
function _getMessage() {
  const internals = this._zod;
  internals.message ?? (internals.message = JSON.stringify(internals.def, jsonStringifyReplacer, 2));
  return internals.message;
}
function _setMessage(value) {
  this._zod.message = value;
}
var _messageDesc = {
  get: _getMessage,
  set: _setMessage,
  enumerable: true,
  configurable: true
};
var _issuesDesc = { value: void 0, enumerable: false };
var _installedToString = /* @__PURE__ */ new WeakSet([Object.prototype, Error.prototype]);
var initializer = (inst, def) => {
  inst.name = "$ZodError";
  _issuesDesc.value = def;
  Object.defineProperty(inst, "issues", _issuesDesc);
  _issuesDesc.value = void 0;
  Object.defineProperty(inst, "message", _messageDesc);
  const proto = Object.getPrototypeOf(inst);
  if (!_installedToString.has(proto)) {
    _installedToString.add(proto);
    Object.defineProperty(proto, "toString", {
      configurable: true,
      enumerable: false,
      get() {
        const value = () => this.message;
        Object.defineProperty(this, "toString", { value, configurable: true, writable: true });
        return value;
      },
      set(value) {
        Object.defineProperty(this, "toString", { value, configurable: true, writable: true });
      }
    });
  }
};
var $ZodError = $constructor("$ZodError", initializer);
var $ZodRealError = $constructor("$ZodError", initializer, void 0, {
  Parent: Error
});

// node_modules/zod/v4/core/parse.js
var _parse = (_Err) => {
  const fn = (schema, value, _ctx, _params) => {
    const ctx = _ctx ? { ..._ctx, async: false } : { async: false };
    const result = schema._zod.run({ value, issues: [] }, ctx);
    if (result instanceof Promise) {
      throw new $ZodAsyncError();
    }
    if (result.issues.length) {
      const e = new (_params?.Err ?? _Err)(result.issues.map((iss) => finalizeIssue(iss, ctx, config())));
      captureStackTrace(e, _params?.callee ?? fn);
      throw e;
    }
    return result.value;
  };
  return fn;
};
var parse = /* @__PURE__ */ _parse($ZodRealError);
var _parseAsync = (_Err) => {
  const fn = async (schema, value, _ctx, params) => {
    const ctx = _ctx ? { ..._ctx, async: true } : { async: true };
    let result = schema._zod.run({ value, issues: [] }, ctx);
    if (result instanceof Promise)
      result = await result;
    if (result.issues.length) {
      const e = new (params?.Err ?? _Err)(result.issues.map((iss) => finalizeIssue(iss, ctx, config())));
      captureStackTrace(e, params?.callee ?? fn);
      throw e;
    }
    return result.value;
  };
  return fn;
};
var parseAsync = /* @__PURE__ */ _parseAsync($ZodRealError);
var _safeParse = (_Err) => (schema, value, _ctx) => {
  const ctx = _ctx ? { ..._ctx, async: false } : { async: false };
  const result = schema._zod.run({ value, issues: [] }, ctx);
  if (result instanceof Promise) {
    throw new $ZodAsyncError();
  }
  return result.issues.length ? failure(_Err, result.issues, ctx) : { success: true, data: result.value };
};
var safeParse = /* @__PURE__ */ _safeParse($ZodRealError);
function failure(Err, issues, ctx) {
  let error;
  return {
    success: false,
    get error() {
      if (!error) {
        error = new Err(issues.map((iss) => finalizeIssue(iss, ctx, config())));
        issues = void 0;
        ctx = void 0;
      }
      return error;
    },
    set error(e) {
      error = e;
      issues = void 0;
      ctx = void 0;
    }
  };
}
var _safeParseAsync = (_Err) => async (schema, value, _ctx) => {
  const ctx = _ctx ? { ..._ctx, async: true } : { async: true };
  let result = schema._zod.run({ value, issues: [] }, ctx);
  if (result instanceof Promise)
    result = await result;
  return result.issues.length ? failure(_Err, result.issues, ctx) : { success: true, data: result.value };
};
var safeParseAsync = /* @__PURE__ */ _safeParseAsync($ZodRealError);

// node_modules/zod/v4/core/regexes.js
var duration = /^P(?:(\d+W)|(?!.*W)(?=\d|T\d)(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+([.,]\d+)?S)?)?)$/;
var ipv4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])$/;
var ipv6 = /^(([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}|([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}|([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:((:[0-9a-fA-F]{1,4}){1,6})|:((:[0-9a-fA-F]{1,4}){1,7}|:))$/;
var cidrv4 = /^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])\/([0-9]|[1-2][0-9]|3[0-2])$/;
var cidrv6 = /^(([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}|([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}|([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:((:[0-9a-fA-F]{1,4}){1,6})|:((:[0-9a-fA-F]{1,4}){1,7}|:))\/(12[0-8]|1[01][0-9]|[1-9]?[0-9])$/;
var dateSource = `(?:(?:\\d\\d[2468][048]|\\d\\d[13579][26]|\\d\\d0[48]|[02468][048]00|[13579][26]00)-02-29|\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|(?:02)-(?:0[1-9]|1\\d|2[0-8])))`;
function anchor(source) {
  return new RegExp(`^${source}$`);
}
var date = /* @__PURE__ */ anchor(dateSource);
function timeSource(args) {
  const hhmm = `(?:[01]\\d|2[0-3]):[0-5]\\d`;
  const regex = typeof args.precision === "number" ? args.precision === -1 ? `${hhmm}` : args.precision === 0 ? `${hhmm}:[0-5]\\d` : `${hhmm}:[0-5]\\d\\.\\d{${args.precision}}` : args.seconds ? `${hhmm}:[0-5]\\d(?:\\.\\d+)?` : `${hhmm}(?::[0-5]\\d(?:\\.\\d+)?)?`;
  return regex;
}
function time(args) {
  return new RegExp(`^${timeSource(args)}$`);
}
function datetime(args) {
  const opts = ["Z"];
  if (args.offset)
    opts.push(`([+-](?:[01]\\d|2[0-3]):[0-5]\\d)`);
  const qualified = `${timeSource({ precision: args.precision, seconds: true })}(?:${opts.join("|")})`;
  const timeRegex = args.local ? `${qualified}|${timeSource({ precision: args.precision })}` : qualified;
  return new RegExp(`^${dateSource}T(?:${timeRegex})$`);
}
var anyString = /^[\s\S]{0,}$/;
var number = /^-?\d+(?:\.\d+)?$/;
var boolean = /^(?:true|false)$/i;

// node_modules/zod/v4/core/checks.js
var $ZodCheck = /* @__PURE__ */ $constructor("$ZodCheck", (inst, def) => {
  var _a2;
  inst._zod ?? (inst._zod = {});
  inst._zod.def = def;
  (_a2 = inst._zod).onattach ?? (_a2.onattach = []);
});
var _whenHasLength = (payload) => {
  const val = payload.value;
  return !nullish(val) && val.length !== void 0;
};
var numericOriginMap = {
  number: "number",
  bigint: "bigint",
  object: "date"
};
var $ZodCheckLessThan = /* @__PURE__ */ $constructor("$ZodCheckLessThan", (inst, def) => {
  $ZodCheck.init(inst, def);
  const origin = numericOriginMap[typeof def.value];
  inst._zod.check = (payload) => {
    if (def.inclusive ? payload.value <= def.value : payload.value < def.value) {
      return;
    }
    payload.issues.push({
      origin: numericOriginMap[typeof payload.value] ?? origin,
      code: "too_big",
      maximum: typeof def.value === "object" ? def.value.getTime() : def.value,
      input: payload.value,
      inclusive: def.inclusive,
      inst,
      continue: !def.abort
    });
  };
});
var $ZodCheckGreaterThan = /* @__PURE__ */ $constructor("$ZodCheckGreaterThan", (inst, def) => {
  $ZodCheck.init(inst, def);
  const origin = numericOriginMap[typeof def.value];
  inst._zod.check = (payload) => {
    if (def.inclusive ? payload.value >= def.value : payload.value > def.value) {
      return;
    }
    payload.issues.push({
      origin: numericOriginMap[typeof payload.value] ?? origin,
      code: "too_small",
      minimum: typeof def.value === "object" ? def.value.getTime() : def.value,
      input: payload.value,
      inclusive: def.inclusive,
      inst,
      continue: !def.abort
    });
  };
});
var $ZodCheckNumberFormat = /* @__PURE__ */ $constructor("$ZodCheckNumberFormat", (inst, def) => {
  $ZodCheck.init(inst, def);
  def.format = def.format || "float64";
  const isInt = def.format?.includes("int");
  const origin = isInt ? "int" : "number";
  const [minimum, maximum] = NUMBER_FORMAT_RANGES[def.format];
  inst._zod.check = (payload) => {
    const input = payload.value;
    if (isInt) {
      if (!Number.isInteger(input)) {
        payload.issues.push({
          expected: origin,
          format: def.format,
          code: "invalid_type",
          continue: false,
          input,
          inst
        });
        return;
      }
      if (!Number.isSafeInteger(input)) {
        if (input > 0) {
          payload.issues.push({
            input,
            code: "too_big",
            maximum: Number.MAX_SAFE_INTEGER,
            note: "Integers must be within the safe integer range.",
            inst,
            origin,
            inclusive: true,
            continue: !def.abort
          });
        } else {
          payload.issues.push({
            input,
            code: "too_small",
            minimum: Number.MIN_SAFE_INTEGER,
            note: "Integers must be within the safe integer range.",
            inst,
            origin,
            inclusive: true,
            continue: !def.abort
          });
        }
        return;
      }
    }
    if (input < minimum) {
      payload.issues.push({
        origin: "number",
        input,
        code: "too_small",
        minimum,
        inclusive: true,
        inst,
        continue: !def.abort
      });
    }
    if (input > maximum) {
      payload.issues.push({
        origin: "number",
        input,
        code: "too_big",
        maximum,
        inclusive: true,
        inst,
        continue: !def.abort
      });
    }
  };
});
var $ZodCheckMaxLength = /* @__PURE__ */ $constructor("$ZodCheckMaxLength", (inst, def) => {
  var _a2;
  $ZodCheck.init(inst, def);
  (_a2 = inst._zod.def).when ?? (_a2.when = _whenHasLength);
  inst._zod.check = (payload) => {
    const input = payload.value;
    const units = input.length;
    const length = typeof input === "string" && units > def.maximum ? codePointLength(input) : units;
    if (length <= def.maximum)
      return;
    const origin = getLengthableOrigin(input);
    payload.issues.push({
      origin,
      code: "too_big",
      maximum: def.maximum,
      inclusive: true,
      input,
      inst,
      continue: !def.abort
    });
  };
});
var $ZodCheckMinLength = /* @__PURE__ */ $constructor("$ZodCheckMinLength", (inst, def) => {
  var _a2;
  $ZodCheck.init(inst, def);
  (_a2 = inst._zod.def).when ?? (_a2.when = _whenHasLength);
  inst._zod.check = (payload) => {
    const input = payload.value;
    const units = input.length;
    const length = typeof input === "string" && units >= def.minimum && units < def.minimum * 2 ? codePointLength(input) : units;
    if (length >= def.minimum)
      return;
    const origin = getLengthableOrigin(input);
    payload.issues.push({
      origin,
      code: "too_small",
      minimum: def.minimum,
      inclusive: true,
      input,
      inst,
      continue: !def.abort
    });
  };
});
var $ZodCheckStringFormat = /* @__PURE__ */ $constructor("$ZodCheckStringFormat", (inst, def) => {
  var _a2, _b;
  $ZodCheck.init(inst, def);
  if (def.pattern)
    (_a2 = inst._zod).check ?? (_a2.check = (payload) => {
      def.pattern.lastIndex = 0;
      if (def.pattern.test(payload.value))
        return;
      payload.issues.push({
        origin: "string",
        code: "invalid_format",
        format: def.format,
        input: payload.value,
        ...def.pattern ? { pattern: def.pattern.toString() } : {},
        inst,
        continue: !def.abort
      });
    });
  else
    (_b = inst._zod).check ?? (_b.check = () => {
    });
});
var $ZodCheckRegex = /* @__PURE__ */ $constructor("$ZodCheckRegex", (inst, def) => {
  $ZodCheckStringFormat.init(inst, def);
  inst._zod.check = (payload) => {
    def.pattern.lastIndex = 0;
    if (def.pattern.test(payload.value))
      return;
    payload.issues.push({
      origin: "string",
      code: "invalid_format",
      format: "regex",
      input: payload.value,
      pattern: def.pattern.toString(),
      inst,
      continue: !def.abort
    });
  };
});

// node_modules/zod/v4/core/versions.js
var version = {
  major: 4,
  minor: 6,
  patch: 7
};

// node_modules/zod/v4/core/schemas.js
var $ZodType = /* @__PURE__ */ $constructor("$ZodType", (inst, def) => {
  var _a2;
  inst ?? (inst = {});
  inst._zod.def = def;
  inst._zod.bag = inst._zod.bag || {};
  inst._zod.version = version;
  const defChecks = inst._zod.def.checks;
  const checks = inst._zod.traits.has("$ZodCheck") ? [inst, ...defChecks ?? []] : defChecks?.length ? [...defChecks] : [];
  for (const ch of checks) {
    for (const fn of ch._zod.onattach) {
      fn(inst);
    }
  }
  if (checks.length === 0) {
    (_a2 = inst._zod).deferred ?? (_a2.deferred = []);
    inst._zod.deferred?.push(() => {
      inst._zod.run = inst._zod.parse;
    });
  } else {
    const runChecks = (payload, checks2, ctx) => {
      if (payload.memo)
        return payload;
      let isAborted = aborted(payload);
      let asyncResult;
      for (const ch of checks2) {
        if (ch._zod.def.when) {
          if (explicitlyAborted(payload))
            continue;
          const shouldRun = ch._zod.def.when(payload);
          if (!shouldRun)
            continue;
        } else if (isAborted) {
          continue;
        }
        const currLen = payload.issues.length;
        const _ = ch._zod.check(payload);
        if (_ instanceof Promise && ctx?.async === false) {
          throw new $ZodAsyncError();
        }
        if (asyncResult || _ instanceof Promise) {
          asyncResult = (asyncResult ?? Promise.resolve()).then(async () => {
            await _;
            const nextLen = payload.issues.length;
            if (nextLen === currLen)
              return;
            attachSchema(payload.issues, currLen, inst);
            if (!isAborted)
              isAborted = aborted(payload, currLen);
          });
        } else {
          const nextLen = payload.issues.length;
          if (nextLen === currLen)
            continue;
          attachSchema(payload.issues, currLen, inst);
          if (!isAborted)
            isAborted = aborted(payload, currLen);
        }
      }
      if (asyncResult) {
        return asyncResult.then(() => {
          return payload;
        });
      }
      return payload;
    };
    const handleCanaryResult = (canary, payload, ctx) => {
      if (aborted(canary)) {
        canary.aborted = true;
        return canary;
      }
      const checkResult = runChecks(payload, checks, ctx);
      if (checkResult instanceof Promise) {
        if (ctx.async === false)
          throw new $ZodAsyncError();
        return checkResult.then((checkResult2) => inst._zod.parse(checkResult2, ctx));
      }
      return inst._zod.parse(checkResult, ctx);
    };
    inst._zod.run = (payload, ctx) => {
      if (ctx.skipChecks) {
        return inst._zod.parse(payload, ctx);
      }
      if (ctx.direction === "backward") {
        const canary = inst._zod.parse({ value: payload.value, issues: [] }, { ...ctx, skipChecks: true });
        if (canary instanceof Promise) {
          return canary.then((canary2) => {
            return handleCanaryResult(canary2, payload, ctx);
          });
        }
        return handleCanaryResult(canary, payload, ctx);
      }
      const result = inst._zod.parse(payload, ctx);
      if (result instanceof Promise) {
        if (ctx.async === false)
          throw new $ZodAsyncError();
        return result.then((result2) => runChecks(result2, checks, ctx));
      }
      return runChecks(result, checks, ctx);
    };
  }
}, {
  // Wrappers extend this by installing a richer factory over it; reading it eagerly would defeat the laziness.
  get "~standard"() {
    return hide(this, "~standard", standardProps(this));
  },
  set "~standard"(value) {
    own(this, "~standard", value);
  }
});
var toStandardResult = (r, ctx) => r.issues.length ? { issues: r.issues.map((iss) => finalizeIssue(iss, ctx, config())) } : { value: r.value };
async function validateAsync(inst, value) {
  const ctx = { async: true };
  return toStandardResult(await inst._zod.run({ value, issues: [] }, ctx), ctx);
}
function standardProps(inst) {
  return {
    validate: (value) => {
      const ctx = { async: false };
      try {
        const r = inst._zod.run({ value, issues: [] }, ctx);
        if (!(r instanceof Promise))
          return toStandardResult(r, ctx);
      } catch (_) {
      }
      return validateAsync(inst, value);
    },
    vendor: "zod",
    version: 1
  };
}
var $ZodString = /* @__PURE__ */ $constructor("$ZodString", (inst, def) => {
  $ZodType.init(inst, def);
  inst._zod.pattern = def.pattern ?? anyString;
  inst._zod.parse = (payload, _) => {
    if (def.coerce)
      try {
        payload.value = String(payload.value);
      } catch (_2) {
      }
    if (typeof payload.value === "string")
      return payload;
    payload.issues.push({
      expected: "string",
      code: "invalid_type",
      input: payload.value,
      inst
    });
    return payload;
  };
});
var $ZodStringFormat = /* @__PURE__ */ $constructor("$ZodStringFormat", (inst, def) => {
  $ZodCheckStringFormat.init(inst, def);
  $ZodString.init(inst, def);
});
function canParseURL(input) {
  try {
    if (typeof URL !== "undefined" && typeof URL.canParse === "function")
      return URL.canParse(input);
    new URL(input);
    return true;
  } catch {
    return false;
  }
}
var $ZodISODateTime = /* @__PURE__ */ $constructor("$ZodISODateTime", (inst, def) => {
  def.pattern ?? (def.pattern = datetime(def));
  $ZodStringFormat.init(inst, def);
});
var $ZodISODate = /* @__PURE__ */ $constructor("$ZodISODate", (inst, def) => {
  def.pattern ?? (def.pattern = date);
  $ZodStringFormat.init(inst, def);
});
var $ZodISOTime = /* @__PURE__ */ $constructor("$ZodISOTime", (inst, def) => {
  def.pattern ?? (def.pattern = time(def));
  $ZodStringFormat.init(inst, def);
});
var $ZodISODuration = /* @__PURE__ */ $constructor("$ZodISODuration", (inst, def) => {
  def.pattern ?? (def.pattern = duration);
  $ZodStringFormat.init(inst, def);
});
var $ZodIPv4 = /* @__PURE__ */ $constructor("$ZodIPv4", (inst, def) => {
  def.pattern ?? (def.pattern = ipv4);
  $ZodStringFormat.init(inst, def);
});
var ipv6Alphabet = /^[0-9a-fA-F:.]+$/;
function isValidIPv6(value) {
  if (!ipv6Alphabet.test(value))
    return false;
  return canParseURL(`http://[${value}]`);
}
var $ZodIPv6 = /* @__PURE__ */ $constructor("$ZodIPv6", (inst, def) => {
  def.pattern ?? (def.pattern = ipv6);
  $ZodStringFormat.init(inst, def);
  inst._zod.check = (payload) => {
    if (!isValidIPv6(payload.value)) {
      payload.issues.push({
        code: "invalid_format",
        format: "ipv6",
        input: payload.value,
        inst,
        continue: !def.abort
      });
    }
  };
});
var $ZodCIDRv4 = /* @__PURE__ */ $constructor("$ZodCIDRv4", (inst, def) => {
  def.pattern ?? (def.pattern = cidrv4);
  $ZodStringFormat.init(inst, def);
});
function isValidCIDRv6(value) {
  const parts = value.split("/");
  if (parts.length !== 2)
    return false;
  const [address, prefix] = parts;
  if (!prefix)
    return false;
  const prefixNum = Number(prefix);
  if (`${prefixNum}` !== prefix)
    return false;
  if (prefixNum < 0 || prefixNum > 128)
    return false;
  return isValidIPv6(address);
}
var $ZodCIDRv6 = /* @__PURE__ */ $constructor("$ZodCIDRv6", (inst, def) => {
  def.pattern ?? (def.pattern = cidrv6);
  $ZodStringFormat.init(inst, def);
  inst._zod.check = (payload) => {
    if (!isValidCIDRv6(payload.value)) {
      payload.issues.push({
        code: "invalid_format",
        format: "cidrv6",
        input: payload.value,
        inst,
        continue: !def.abort
      });
    }
  };
});
var $ZodNumber = /* @__PURE__ */ $constructor("$ZodNumber", (inst, def) => {
  $ZodType.init(inst, def);
  inst._zod.pattern = number;
  inst._zod.parse = (payload, _ctx) => {
    if (def.coerce)
      try {
        payload.value = Number(payload.value);
      } catch (_) {
      }
    const input = payload.value;
    if (typeof input === "number" && !Number.isNaN(input) && Number.isFinite(input)) {
      return payload;
    }
    const received = typeof input === "number" ? Number.isNaN(input) ? "NaN" : !Number.isFinite(input) ? String(input) : void 0 : void 0;
    payload.issues.push({
      expected: "number",
      code: "invalid_type",
      input,
      inst,
      ...received ? { received } : {}
    });
    return payload;
  };
});
var $ZodNumberFormat = /* @__PURE__ */ $constructor("$ZodNumberFormat", (inst, def) => {
  $ZodCheckNumberFormat.init(inst, def);
  $ZodNumber.init(inst, def);
});
var $ZodBoolean = /* @__PURE__ */ $constructor("$ZodBoolean", (inst, def) => {
  $ZodType.init(inst, def);
  inst._zod.pattern = boolean;
  inst._zod.parse = (payload, _ctx) => {
    if (def.coerce)
      try {
        payload.value = Boolean(payload.value);
      } catch (_) {
      }
    const input = payload.value;
    if (typeof input === "boolean")
      return payload;
    payload.issues.push({
      expected: "boolean",
      code: "invalid_type",
      input,
      inst
    });
    return payload;
  };
});
var $ZodUnknown = /* @__PURE__ */ $constructor("$ZodUnknown", (inst, def) => {
  $ZodType.init(inst, def);
  inst._zod.parse = (payload) => payload;
});
var $ZodNever = /* @__PURE__ */ $constructor("$ZodNever", (inst, def) => {
  $ZodType.init(inst, def);
  inst._zod.parse = (payload, _ctx) => {
    payload.issues.push({
      expected: "never",
      code: "invalid_type",
      input: payload.value,
      inst
    });
    return payload;
  };
});
function capSize(inst, size) {
  const caps = sizeCaps(inst._zod.def.checks);
  if (!caps.length)
    return;
  const cap = Math.min(...caps.map((c) => c[0]));
  const parse2 = inst._zod.parse;
  inst._zod.parse = (payload, ctx) => {
    const n = size(payload.value);
    if (n > cap && !ctx?.skipChecks && ctx?.direction !== "backward") {
      for (const [max, ch] of sizeCaps(inst._zod.def.checks)) {
        if (n > max && ch._zod.def.when(payload)) {
          const start = payload.issues.length;
          ch._zod.check(payload);
          payload.issues[start].continue = false;
          attachSchema(payload.issues, start, inst);
          return payload;
        }
      }
    }
    return parse2(payload, ctx);
  };
}
var arraySize = (input) => Array.isArray(input) ? input.length : -1;
function handleArrayResult(result, final, index) {
  if (result.issues.length) {
    final.issues.push(...prefixIssues(index, result.issues));
  }
  final.value[index] = result.value;
}
var $ZodArray = /* @__PURE__ */ $constructor("$ZodArray", (inst, def) => {
  $ZodType.init(inst, def);
  const memo = globalConfig.memoizer;
  memo?.attach(inst);
  inst._zod.parse = (payload, ctx) => {
    const input = payload.value;
    if (!Array.isArray(input)) {
      payload.issues.push({
        expected: "array",
        code: "invalid_type",
        input,
        inst
      });
      return payload;
    }
    payload.value = memo ? memo.alloc(inst, payload, Array(input.length), ctx) : Array(input.length);
    const proms = [];
    const abortEarly = ctx?.abortEarly;
    for (let i = 0; i < input.length; i++) {
      const item = input[i];
      const result = def.element._zod.run({
        value: item,
        issues: []
      }, ctx);
      if (result instanceof Promise) {
        proms.push(result.then((result2) => handleArrayResult(result2, payload, i)));
      } else {
        handleArrayResult(result, payload, i);
        if (abortEarly && result.issues.length !== 0 && aborted(result))
          break;
      }
    }
    if (proms.length) {
      return Promise.all(proms).then(() => payload);
    }
    return payload;
  };
  capSize(inst, arraySize);
});
function handlePropertyResult(result, final, key, input, optin, optout) {
  const isPresent = key in input;
  const isOptionalOut = optout === "optional";
  if (!isPresent && isOptionalOut && optin === "optional") {
    return;
  }
  if (result.issues.length) {
    if (optin !== void 0 && isOptionalOut && !isPresent) {
      return;
    }
    final.issues.push(...prefixIssues(key, result.issues));
  }
  if (!isPresent && optin === void 0) {
    if (!result.issues.length) {
      final.issues.push({
        code: "invalid_type",
        expected: "nonoptional",
        input: void 0,
        path: [key]
      });
    }
    return;
  }
  if (result.value === void 0) {
    if (isPresent || optin === "defaulted" && !isOptionalOut) {
      final.value[key] = void 0;
    }
  } else {
    final.value[key] = result.value;
  }
}
var NO_SYMBOL_KEYS = [];
function normalizeDef(def) {
  const keys = Object.keys(def.shape);
  const ownSymbols = Object.getOwnPropertySymbols(def.shape);
  const symbolKeys = ownSymbols.length ? ownSymbols : NO_SYMBOL_KEYS;
  const allKeys = symbolKeys.length ? [...keys, ...symbolKeys] : keys;
  for (const k of allKeys) {
    if (!def.shape?.[k]?._zod?.traits?.has("$ZodType")) {
      throw new Error(`Invalid element at key "${String(k)}": expected a Zod schema`);
    }
  }
  const okeys = optionalKeys(def.shape);
  return {
    ...def,
    allKeys,
    symbolKeys,
    // string-only: handleCatchall matches it against `for...in`, which never yields a symbol
    keySet: new Set(keys),
    numKeys: keys.length,
    optionalKeys: new Set(okeys)
  };
}
function handleCatchall(proms, input, payload, ctx, def, inst, abortEarly) {
  const unrecognized = [];
  const keySet = def.keySet;
  const _catchall = def.catchall._zod;
  const t = _catchall.def.type;
  const optin = _catchall.optin;
  const optout = _catchall.optout;
  let seen = 0;
  for (const key in input) {
    if (abortEarly && payload.issues.length !== seen) {
      if (aborted(payload, seen))
        break;
      seen = payload.issues.length;
    }
    if (keySet.has(key))
      continue;
    if (key === "__proto__") {
      if (t === "never")
        unrecognized.push(key);
      continue;
    }
    if (t === "never") {
      unrecognized.push(key);
      continue;
    }
    const r = _catchall.run({ value: input[key], issues: [] }, ctx);
    if (r instanceof Promise) {
      proms.push(r.then((r2) => handlePropertyResult(r2, payload, key, input, optin, optout)));
    } else {
      handlePropertyResult(r, payload, key, input, optin, optout);
    }
  }
  if (unrecognized.length) {
    payload.issues.push({
      code: "unrecognized_keys",
      keys: unrecognized,
      input,
      inst,
      // Describes the shape of the input, not the validity of the parsed value, so it never aborts. The parse still fails; the schema's own checks just get to run first, and an enclosing intersection can reconcile the key against a sibling operand.
      continue: true
    });
  }
  if (!proms.length)
    return payload;
  return Promise.all(proms).then(() => {
    return payload;
  });
}
var $ZodObject = /* @__PURE__ */ $constructor("$ZodObject", (inst, def) => {
  $ZodType.init(inst, def);
  const desc = Object.getOwnPropertyDescriptor(def, "shape");
  const sh = desc?.get ? desc.get.raw : def.shape ?? {};
  if (sh) {
    const get = () => {
      const newSh = { ...sh };
      Object.defineProperty(def, "shape", { value: newSh });
      get.raw = newSh;
      return newSh;
    };
    get.raw = sh;
    Object.defineProperty(def, "shape", { get });
  }
  const _normalized = cached(() => normalizeDef(def));
  defineLazyInternal(inst, "propValues", (zod) => {
    const shape = zod.def.shape;
    const propValues = {};
    for (const key in shape) {
      const field = shape[key]._zod;
      if (field.values) {
        if (!Object.prototype.hasOwnProperty.call(propValues, key)) {
          assignProp(propValues, key, /* @__PURE__ */ new Set());
        }
        for (const v of field.values)
          propValues[key].add(v);
        if (field.optin !== void 0)
          propValues[key].add(void 0);
      }
    }
    return propValues;
  });
  const isObject2 = isObject;
  const catchall = def.catchall;
  let value;
  const memo = globalConfig.memoizer;
  memo?.attach(inst);
  inst._zod.parse = (payload, ctx) => {
    value ?? (value = _normalized.value);
    const input = payload.value;
    if (!isObject2(input)) {
      payload.issues.push({
        expected: "object",
        code: "invalid_type",
        input,
        inst
      });
      return payload;
    }
    payload.value = memo ? memo.alloc(inst, payload, {}, ctx) : {};
    const proms = [];
    const shape = value.shape;
    const abortEarly = ctx?.abortEarly;
    let seen = payload.issues.length;
    for (const key of value.allKeys) {
      if (abortEarly && payload.issues.length !== seen) {
        if (aborted(payload, seen))
          break;
        seen = payload.issues.length;
      }
      if (key === "__proto__")
        continue;
      const el = shape[key];
      const optin = el._zod.optin;
      const optout = el._zod.optout;
      const r = el._zod.run({ value: input[key], issues: [] }, ctx);
      if (r instanceof Promise) {
        proms.push(r.then((r2) => handlePropertyResult(r2, payload, key, input, optin, optout)));
      } else {
        handlePropertyResult(r, payload, key, input, optin, optout);
      }
    }
    if (!catchall) {
      return proms.length ? Promise.all(proms).then(() => payload) : payload;
    }
    return handleCatchall(proms, input, payload, ctx, _normalized.value, inst, abortEarly === true);
  };
});
function handleUnionResults(results, final, inst, ctx) {
  for (const result of results) {
    if (result.issues.length === 0) {
      final.value = result.value;
      return final;
    }
  }
  const nonaborted = results.filter((r) => !aborted(r));
  if (nonaborted.length === 1) {
    final.value = nonaborted[0].value;
    return nonaborted[0];
  }
  final.issues.push({
    code: "invalid_union",
    input: final.value,
    inst,
    errors: results.map((result) => result.issues.map((iss) => finalizeIssue(iss, ctx, config())))
  });
  return final;
}
var $ZodUnion = /* @__PURE__ */ $constructor("$ZodUnion", (inst, def) => {
  $ZodType.init(inst, def);
  defineLazyInternal(inst, "optin", (zod) => zod.def.options.some((o) => o._zod.optin === "defaulted") ? "defaulted" : zod.def.options.some((o) => o._zod.optin !== void 0) ? "optional" : void 0);
  defineLazyInternal(inst, "optout", (zod) => zod.def.options.some((o) => o._zod.optout === "optional") ? "optional" : void 0);
  defineLazyInternal(inst, "values", (zod) => {
    if (zod.def.options.every((o) => o._zod.values)) {
      return new Set(zod.def.options.flatMap((option) => Array.from(option._zod.values)));
    }
    return void 0;
  });
  defineLazyInternal(inst, "pattern", (zod) => {
    if (zod.def.options.every((o) => o._zod.pattern)) {
      const patterns = zod.def.options.map((o) => o._zod.pattern);
      return new RegExp(`^(${patterns.map((p) => cleanRegex(p.source)).join("|")})$`);
    }
    return void 0;
  });
  const first = def.options.length === 1 ? def.options[0]._zod.run : null;
  inst._zod.parse = (payload, ctx) => {
    if (first) {
      return first(payload, ctx);
    }
    let async = false;
    const results = [];
    for (const option of def.options) {
      const result = option._zod.run({
        value: payload.value,
        issues: []
      }, ctx);
      if (result instanceof Promise) {
        results.push(result);
        async = true;
      } else {
        if (result.issues.length === 0)
          return result;
        results.push(result);
      }
    }
    if (!async)
      return handleUnionResults(results, payload, inst, ctx);
    return Promise.all(results).then((results2) => {
      return handleUnionResults(results2, payload, inst, ctx);
    });
  };
});
function discriminatorMap(def) {
  const map = /* @__PURE__ */ new Map();
  for (const option of def.options) {
    const values = option._zod.propValues?.[def.discriminator];
    if (!values || values.size === 0)
      throw new Error(`Invalid discriminated union option at index "${def.options.indexOf(option)}"`);
    for (const value of values) {
      if (map.has(value)) {
        if (value !== void 0)
          throw new Error(`Duplicate discriminator value "${String(value)}"`);
        map.set(value, null);
      } else {
        map.set(value, option);
      }
    }
  }
  return map;
}
var $ZodDiscriminatedUnion = /* @__PURE__ */ $constructor("$ZodDiscriminatedUnion", (inst, def) => {
  def.inclusive = false;
  $ZodUnion.init(inst, def);
  const _super = inst._zod.parse;
  defineLazyInternal(inst, "propValues", (zod) => {
    const propValues = {};
    let undefinedCount = 0;
    for (const option of zod.def.options) {
      const pv = option._zod.propValues;
      if (!pv || Object.keys(pv).length === 0)
        throw new Error(`Invalid discriminated union option at index "${zod.def.options.indexOf(option)}"`);
      if (pv[zod.def.discriminator]?.has(void 0))
        undefinedCount++;
      for (const [k, v] of Object.entries(pv)) {
        if (!Object.prototype.hasOwnProperty.call(propValues, k)) {
          assignProp(propValues, k, /* @__PURE__ */ new Set());
        }
        for (const val of v) {
          propValues[k].add(val);
        }
      }
    }
    if (!zod.def.unionFallback && undefinedCount > 1)
      propValues[zod.def.discriminator]?.delete(void 0);
    return propValues;
  });
  def.options.forEach((option, i) => {
    const propShape = rawShape(option._zod.def);
    if (propShape && !Object.prototype.hasOwnProperty.call(propShape, def.discriminator)) {
      throw new Error(`Invalid discriminated union option at index "${i}"`);
    }
  });
  const disc = cached(() => discriminatorMap(def));
  inst._zod.parse = (payload, ctx) => {
    const input = payload.value;
    if (!isObject(input)) {
      payload.issues.push({
        code: "invalid_type",
        expected: "object",
        input,
        inst
      });
      return payload;
    }
    const value = input?.[def.discriminator];
    const opt = disc.value.get(value);
    if (opt && (value !== void 0 || ctx.direction !== "backward")) {
      return opt._zod.run(payload, ctx);
    }
    if (def.unionFallback || ctx.direction === "backward") {
      return _super(payload, ctx);
    }
    payload.issues.push({
      code: "invalid_union",
      errors: [],
      note: "No matching discriminator",
      discriminator: def.discriminator,
      options: Array.from(disc.value.keys()).filter((value2) => disc.value.get(value2) !== null),
      input,
      path: [def.discriminator],
      inst
    });
    return payload;
  };
});
var $ZodTuple = /* @__PURE__ */ $constructor("$ZodTuple", (inst, def) => {
  $ZodType.init(inst, def);
  const items = def.items;
  const memo = globalConfig.memoizer;
  memo?.attach(inst);
  inst._zod.parse = (payload, ctx) => {
    const input = payload.value;
    if (!Array.isArray(input)) {
      payload.issues.push({
        input,
        inst,
        expected: "tuple",
        code: "invalid_type"
      });
      return payload;
    }
    payload.value = memo ? memo.alloc(inst, payload, [], ctx) : [];
    const proms = [];
    const optinStart = getTupleOptStart(items, "optin");
    const optoutStart = getTupleOptStart(items, "optout");
    if (!def.rest) {
      if (input.length < optinStart) {
        payload.issues.push({
          code: "too_small",
          minimum: optinStart,
          inclusive: true,
          input,
          inst,
          origin: "array"
        });
        return payload;
      }
      if (input.length > items.length) {
        payload.issues.push({
          code: "too_big",
          maximum: items.length,
          inclusive: true,
          input,
          inst,
          origin: "array"
        });
      }
    }
    const itemResults = new Array(items.length);
    const abortEarly = def.rest ? ctx?.abortEarly : void 0;
    let itemAborted = false;
    for (let i = 0; i < items.length; i++) {
      const r = items[i]._zod.run({ value: input[i], issues: [] }, ctx);
      if (r instanceof Promise) {
        proms.push(r.then((rr) => {
          itemResults[i] = rr;
        }));
      } else {
        itemResults[i] = r;
        if (abortEarly && !itemAborted && r.issues.length)
          itemAborted = aborted(r);
      }
    }
    if (def.rest && !itemAborted) {
      let i = items.length - 1;
      const rest = input.slice(items.length);
      let seen = payload.issues.length;
      for (const el of rest) {
        if (abortEarly && payload.issues.length !== seen) {
          if (aborted(payload, seen))
            break;
          seen = payload.issues.length;
        }
        i++;
        const result = def.rest._zod.run({ value: el, issues: [] }, ctx);
        if (result instanceof Promise) {
          proms.push(result.then((r) => handleTupleResult(r, payload, i)));
        } else {
          handleTupleResult(result, payload, i);
        }
      }
    }
    if (proms.length) {
      return Promise.all(proms).then(() => handleTupleResults(itemResults, payload, items, input, optoutStart));
    }
    return handleTupleResults(itemResults, payload, items, input, optoutStart);
  };
});
function getTupleOptStart(items, key) {
  for (let i = items.length - 1; i >= 0; i--) {
    const omittable = key === "optin" ? items[i]._zod.optin !== void 0 : items[i]._zod.optout === "optional";
    if (!omittable)
      return i + 1;
  }
  return 0;
}
function handleTupleResult(result, final, index) {
  if (result.issues.length) {
    final.issues.push(...prefixIssues(index, result.issues));
  }
  final.value[index] = result.value;
}
function handleTupleResults(itemResults, final, items, input, optoutStart) {
  for (let i = 0; i < items.length; i++) {
    const r = itemResults[i];
    const isPresent = i < input.length;
    if (!isPresent && i >= optoutStart && items[i]._zod.optin === "optional") {
      final.value.length = i;
      break;
    }
    if (r.issues.length) {
      if (!isPresent && i >= optoutStart) {
        final.value.length = i;
        break;
      }
      final.issues.push(...prefixIssues(i, r.issues));
    }
    final.value[i] = r.value;
  }
  for (let i = final.value.length - 1; i >= input.length; i--) {
    if (items[i]._zod.optout === "optional" && final.value[i] === void 0) {
      final.value.length = i;
    } else {
      break;
    }
  }
  return final;
}
var $ZodRecord = /* @__PURE__ */ $constructor("$ZodRecord", (inst, def) => {
  $ZodType.init(inst, def);
  const memo = globalConfig.memoizer;
  memo?.attach(inst);
  inst._zod.parse = (payload, ctx) => {
    const input = payload.value;
    if (!isPlainObject(input)) {
      payload.issues.push({
        expected: "record",
        code: "invalid_type",
        input,
        inst
      });
      return payload;
    }
    const proms = [];
    const values = def.keyType._zod.values;
    if (values && !def.partial) {
      payload.value = memo ? memo.alloc(inst, payload, {}, ctx) : {};
      const recordKeys = /* @__PURE__ */ new Set();
      for (const key of values) {
        if (typeof key === "string" || typeof key === "number" || typeof key === "symbol") {
          recordKeys.add(typeof key === "number" ? key.toString() : key);
          if (key === "__proto__")
            continue;
          const keyResult = def.keyType._zod.run({ value: key, issues: [] }, ctx);
          if (keyResult instanceof Promise) {
            throw new Error("Async schemas not supported in object keys currently");
          }
          if (keyResult.issues.length) {
            payload.issues.push({
              code: "invalid_key",
              origin: "record",
              issues: keyResult.issues.map((iss) => finalizeIssue(iss, ctx, config())),
              input: key,
              path: [key],
              inst
            });
            continue;
          }
          const outKey = keyResult.value;
          if (outKey === "__proto__")
            continue;
          const result = def.valueType._zod.run({ value: input[key], issues: [] }, ctx);
          if (result instanceof Promise) {
            proms.push(result.then((result2) => {
              if (result2.issues.length) {
                payload.issues.push(...prefixIssues(key, result2.issues));
              }
              payload.value[outKey] = result2.value;
            }));
          } else {
            if (result.issues.length) {
              payload.issues.push(...prefixIssues(key, result.issues));
            }
            payload.value[outKey] = result.value;
          }
        }
      }
      let unrecognized;
      for (const key in input) {
        if (!recordKeys.has(key)) {
          if (def.mode === "loose") {
            if (key === "__proto__")
              continue;
            payload.value[key] = input[key];
          } else {
            unrecognized = unrecognized ?? [];
            unrecognized.push(key);
          }
        }
      }
      if (unrecognized && unrecognized.length > 0) {
        payload.issues.push({
          code: "unrecognized_keys",
          input,
          inst,
          keys: unrecognized,
          continue: true
        });
      }
    } else {
      payload.value = memo ? memo.alloc(inst, payload, {}, ctx) : {};
      let unrecognized;
      for (const key of Reflect.ownKeys(input)) {
        if (key === "__proto__")
          continue;
        if (!Object.prototype.propertyIsEnumerable.call(input, key))
          continue;
        let keyResult = def.keyType._zod.run({ value: key, issues: [] }, ctx);
        if (keyResult instanceof Promise) {
          throw new Error("Async schemas not supported in object keys currently");
        }
        const checkNumericKey = typeof key === "string" && number.test(key) && keyResult.issues.length;
        if (checkNumericKey) {
          const retryResult = def.keyType._zod.run({ value: Number(key), issues: [] }, ctx);
          if (retryResult instanceof Promise) {
            throw new Error("Async schemas not supported in object keys currently");
          }
          if (retryResult.issues.length === 0) {
            keyResult = retryResult;
          }
        }
        if (keyResult.issues.length) {
          if (def.mode === "loose") {
            payload.value[key] = input[key];
          } else if (values) {
            unrecognized = unrecognized ?? [];
            unrecognized.push(key);
          } else {
            payload.issues.push({
              code: "invalid_key",
              origin: "record",
              issues: keyResult.issues.map((iss) => finalizeIssue(iss, ctx, config())),
              input: key,
              path: [key],
              inst
            });
          }
          continue;
        }
        const outKey = keyResult.value;
        if (outKey === "__proto__")
          continue;
        const result = def.valueType._zod.run({ value: input[key], issues: [] }, ctx);
        if (result instanceof Promise) {
          proms.push(result.then((result2) => {
            if (result2.issues.length) {
              payload.issues.push(...prefixIssues(key, result2.issues));
            }
            payload.value[outKey] = result2.value;
          }));
        } else {
          if (result.issues.length) {
            payload.issues.push(...prefixIssues(key, result.issues));
          }
          payload.value[outKey] = result.value;
        }
      }
      if (unrecognized && unrecognized.length > 0) {
        payload.issues.push({
          code: "unrecognized_keys",
          input,
          inst,
          keys: unrecognized,
          continue: true
        });
      }
    }
    if (proms.length) {
      return Promise.all(proms).then(() => payload);
    }
    return payload;
  };
});
var $ZodEnum = /* @__PURE__ */ $constructor("$ZodEnum", (inst, def) => {
  $ZodType.init(inst, def);
  const values = getEnumValues(def.entries);
  const valuesSet = new Set(values);
  inst._zod.values = valuesSet;
  defineLazyInternal(inst, "pattern", (zod) => {
    const patternValues = getEnumValues(zod.def.entries).filter((k) => propertyKeyTypes.has(typeof k));
    return new RegExp(patternValues.length ? `^(${patternValues.map((o) => escapeRegex(o.toString())).join("|")})$` : "^[^\\s\\S]$");
  });
  inst._zod.parse = (payload, _ctx) => {
    const input = payload.value;
    if (valuesSet.has(input)) {
      return payload;
    }
    payload.issues.push({
      code: "invalid_value",
      values,
      input,
      inst
    });
    return payload;
  };
});
var $ZodLiteral = /* @__PURE__ */ $constructor("$ZodLiteral", (inst, def) => {
  $ZodType.init(inst, def);
  const values = new Set(def.values);
  inst._zod.values = values;
  defineLazyInternal(inst, "pattern", (zod) => {
    const vals = zod.def.values;
    return new RegExp(vals.length ? `^(${vals.map((o) => typeof o === "string" ? escapeRegex(o) : o ? escapeRegex(o.toString()) : String(o)).join("|")})$` : "^[^\\s\\S]$");
  });
  inst._zod.parse = (payload, _ctx) => {
    const input = payload.value;
    if (values.has(input)) {
      return payload;
    }
    payload.issues.push({
      code: "invalid_value",
      values: def.values,
      input,
      inst
    });
    return payload;
  };
});
var $ZodTransform = /* @__PURE__ */ $constructor("$ZodTransform", (inst, def) => {
  $ZodType.init(inst, def);
  inst._zod.optin = "optional";
  globalConfig.memoizer?.guard(inst);
  inst._zod.parse = (payload, ctx) => {
    if (ctx.direction === "backward") {
      throw new $ZodEncodeError(inst.constructor.name);
    }
    const _out = def.transform(payload.value, payload);
    if (ctx.async) {
      const output = _out instanceof Promise ? _out : Promise.resolve(_out);
      return output.then((output2) => {
        payload.value = output2;
        return payload;
      });
    }
    if (_out instanceof Promise) {
      throw new $ZodAsyncError();
    }
    payload.value = _out;
    return payload;
  };
});
function handleOptionalResult(payload, result) {
  payload.value = result.issues.length ? void 0 : result.value;
  return payload;
}
var $ZodOptional = /* @__PURE__ */ $constructor("$ZodOptional", (inst, def) => {
  $ZodType.init(inst, def);
  defineLazyInternal(inst, "optin", (zod) => zod.def.innerType._zod.optin === "defaulted" ? "defaulted" : "optional");
  inst._zod.optout = "optional";
  defineLazyInternal(inst, "values", (zod) => {
    const values = zod.def.innerType._zod.values;
    return values ? /* @__PURE__ */ new Set([...values, void 0]) : void 0;
  });
  defineLazyInternal(inst, "pattern", (zod) => {
    const pattern3 = zod.def.innerType._zod.pattern;
    return pattern3 ? new RegExp(`^(${cleanRegex(pattern3.source)})?$`) : void 0;
  });
  inst._zod.parse = (payload, ctx) => {
    if (payload.value === void 0) {
      if (def.innerType._zod.optin !== "defaulted")
        return payload;
      const result = def.innerType._zod.run({ value: payload.value, issues: [] }, ctx);
      if (result instanceof Promise)
        return result.then((result2) => handleOptionalResult(payload, result2));
      return handleOptionalResult(payload, result);
    }
    return def.innerType._zod.run(payload, ctx);
  };
});
var $ZodNullable = /* @__PURE__ */ $constructor("$ZodNullable", (inst, def) => {
  $ZodType.init(inst, def);
  defineLazyInternal(inst, "optin", (zod) => zod.def.innerType._zod.optin);
  defineLazyInternal(inst, "optout", (zod) => zod.def.innerType._zod.optout);
  defineLazyInternal(inst, "pattern", (zod) => {
    const pattern3 = zod.def.innerType._zod.pattern;
    return pattern3 ? new RegExp(`^(${cleanRegex(pattern3.source)}|null)$`) : void 0;
  });
  defineLazyInternal(inst, "values", (zod) => {
    return zod.def.innerType._zod.values ? /* @__PURE__ */ new Set([...zod.def.innerType._zod.values, null]) : void 0;
  });
  inst._zod.parse = (payload, ctx) => {
    if (payload.value === null)
      return payload;
    return def.innerType._zod.run(payload, ctx);
  };
});
var $ZodDefault = /* @__PURE__ */ $constructor("$ZodDefault", (inst, def) => {
  $ZodType.init(inst, def);
  inst._zod.optin = "defaulted";
  defineLazyInternal(inst, "values", (zod) => zod.def.innerType._zod.values);
  inst._zod.parse = (payload, ctx) => {
    if (ctx.direction === "backward") {
      return def.innerType._zod.run(payload, ctx);
    }
    if (payload.value === void 0) {
      payload.value = def.defaultValue;
      return payload;
    }
    const result = def.innerType._zod.run(payload, ctx);
    if (result instanceof Promise) {
      return result.then((result2) => handleDefaultResult(result2, def));
    }
    return handleDefaultResult(result, def);
  };
});
function handleDefaultResult(payload, def) {
  if (payload.value === void 0) {
    payload.value = def.defaultValue;
  }
  return payload;
}
var $ZodPipe = /* @__PURE__ */ $constructor("$ZodPipe", (inst, def) => {
  $ZodType.init(inst, def);
  defineLazyInternal(inst, "values", (zod) => zod.def.in._zod.values);
  defineLazyInternal(inst, "optin", (zod) => zod.def.in._zod.optin);
  defineLazyInternal(inst, "optout", (zod) => zod.def.out._zod.optout);
  defineLazyInternal(inst, "propValues", (zod) => zod.def.in._zod.propValues);
  inst._zod.parse = (payload, ctx) => {
    if (ctx.direction === "backward") {
      const right = def.out._zod.run(payload, ctx);
      if (right instanceof Promise) {
        return right.then((right2) => handlePipeResult(right2, def.in, ctx));
      }
      return handlePipeResult(right, def.in, ctx);
    }
    const left = def.in._zod.run(payload, ctx);
    if (left instanceof Promise) {
      return left.then((left2) => handlePipeResult(left2, def.out, ctx));
    }
    return handlePipeResult(left, def.out, ctx);
  };
});
function handlePipeResult(left, next, ctx) {
  if (left.issues.some((iss) => iss.code !== "unrecognized_keys")) {
    left.aborted = true;
    return left;
  }
  return next._zod.run({ value: left.value, issues: left.issues }, ctx);
}
var $ZodCustom = /* @__PURE__ */ $constructor("$ZodCustom", (inst, def) => {
  $ZodCheck.init(inst, def);
  $ZodType.init(inst, def);
  inst._zod.parse = (payload, _) => {
    return payload;
  };
  inst._zod.check = (payload) => {
    const input = payload.value;
    const r = def.fn(input);
    if (r instanceof Promise) {
      return r.then((r2) => handleRefineResult(r2, payload, input, inst));
    }
    handleRefineResult(r, payload, input, inst);
    return;
  };
});
function handleRefineResult(result, payload, input, inst) {
  if (!result) {
    const _iss = {
      code: "custom",
      input,
      inst,
      // incorporates params.error into issue reporting
      path: [...inst._zod.def.path ?? []],
      // incorporates params.error into issue reporting
      continue: !inst._zod.def.abort
      // params: inst._zod.def.params,
    };
    if (inst._zod.def.params)
      _iss.params = inst._zod.def.params;
    payload.issues.push(issue(_iss));
  }
}

// node_modules/zod/v4/core/api.js
function snapshotChecks(def) {
  if (def.checks)
    def.checks = [...def.checks];
  return def;
}
// @__NO_SIDE_EFFECTS__
function _string(Class, params) {
  return new Class(snapshotChecks({ type: "string", ...normalizeParams(params) }));
}
// @__NO_SIDE_EFFECTS__
function _ipv4(Class, params) {
  return new Class({
    type: "string",
    format: "ipv4",
    check: "string_format",
    abort: false,
    ...normalizeParams(params)
  });
}
// @__NO_SIDE_EFFECTS__
function _ipv6(Class, params) {
  return new Class({
    type: "string",
    format: "ipv6",
    check: "string_format",
    abort: false,
    ...normalizeParams(params)
  });
}
// @__NO_SIDE_EFFECTS__
function _cidrv4(Class, params) {
  return new Class({
    type: "string",
    format: "cidrv4",
    check: "string_format",
    abort: false,
    ...normalizeParams(params)
  });
}
// @__NO_SIDE_EFFECTS__
function _cidrv6(Class, params) {
  return new Class({
    type: "string",
    format: "cidrv6",
    check: "string_format",
    abort: false,
    ...normalizeParams(params)
  });
}
// @__NO_SIDE_EFFECTS__
function _isoDateTime(Class, params) {
  return new Class({
    type: "string",
    format: "datetime",
    check: "string_format",
    offset: false,
    local: false,
    precision: null,
    ...normalizeParams(params)
  });
}
// @__NO_SIDE_EFFECTS__
function _isoDate(Class, params) {
  return new Class({
    type: "string",
    format: "date",
    check: "string_format",
    ...normalizeParams(params)
  });
}
// @__NO_SIDE_EFFECTS__
function _isoTime(Class, params) {
  return new Class({
    type: "string",
    format: "time",
    check: "string_format",
    precision: null,
    ...normalizeParams(params)
  });
}
// @__NO_SIDE_EFFECTS__
function _isoDuration(Class, params) {
  return new Class({
    type: "string",
    format: "duration",
    check: "string_format",
    ...normalizeParams(params)
  });
}
// @__NO_SIDE_EFFECTS__
function _number(Class, params) {
  return new Class(snapshotChecks({ type: "number", checks: [], ...normalizeParams(params) }));
}
// @__NO_SIDE_EFFECTS__
function _int(Class, params) {
  return new Class({
    type: "number",
    check: "number_format",
    abort: false,
    format: "safeint",
    ...normalizeParams(params)
  });
}
// @__NO_SIDE_EFFECTS__
function _boolean(Class, params) {
  return new Class({
    type: "boolean",
    ...normalizeParams(params)
  });
}
// @__NO_SIDE_EFFECTS__
function _unknown(Class) {
  return new Class({
    type: "unknown"
  });
}
// @__NO_SIDE_EFFECTS__
function _never(Class, params) {
  return new Class({
    type: "never",
    ...normalizeParams(params)
  });
}
// @__NO_SIDE_EFFECTS__
function _lte(value, params) {
  return new $ZodCheckLessThan({
    check: "less_than",
    ...normalizeParams(params),
    value,
    inclusive: true
  });
}
// @__NO_SIDE_EFFECTS__
function _gte(value, params) {
  return new $ZodCheckGreaterThan({
    check: "greater_than",
    ...normalizeParams(params),
    value,
    inclusive: true
  });
}
// @__NO_SIDE_EFFECTS__
function _maxLength(maximum, params) {
  const ch = new $ZodCheckMaxLength({
    check: "max_length",
    ...normalizeParams(params),
    maximum
  });
  return ch;
}
// @__NO_SIDE_EFFECTS__
function _minLength(minimum, params) {
  return new $ZodCheckMinLength({
    check: "min_length",
    ...normalizeParams(params),
    minimum
  });
}
// @__NO_SIDE_EFFECTS__
function _regex(pattern3, params) {
  return new $ZodCheckRegex({
    check: "string_format",
    format: "regex",
    ...normalizeParams(params),
    pattern: pattern3
  });
}
// @__NO_SIDE_EFFECTS__
function _custom(Class, fn, _params) {
  const norm = normalizeParams(_params);
  norm.abort ?? (norm.abort = true);
  const schema = new Class({
    type: "custom",
    check: "custom",
    fn,
    ...norm
  });
  return schema;
}
// @__NO_SIDE_EFFECTS__
function _refine(Class, fn, _params) {
  const schema = new Class({
    type: "custom",
    check: "custom",
    fn,
    ...normalizeParams(_params)
  });
  return schema;
}

// node_modules/zod/v4/mini/schemas.js
var ZodMiniType = /* @__PURE__ */ $constructor("ZodMiniType", (inst, def) => {
  if (!inst._zod)
    throw new Error("Uninitialized schema in ZodMiniType.");
  $ZodType.init(inst, def);
  inst.def = def;
  inst.type = def.type;
}, {
  // `with` is an alias for `check`: the same function object, not a wrapper.
  get with() {
    return this.check;
  },
  set with(value) {
    own(this, "with", value);
  },
  parse(data, params) {
    return parse(this, data, params, { callee: this.parse });
  },
  parseAsync(data, params) {
    return parseAsync(this, data, params, { callee: this.parseAsync });
  },
  safeParse(data, params) {
    return safeParse(this, data, params);
  },
  safeParseAsync(data, params) {
    return safeParseAsync(this, data, params);
  },
  check(...checks) {
    const def = this.def;
    return this.clone({
      ...def,
      checks: [
        ...def.checks ?? [],
        ...checks.map((ch) => typeof ch === "function" ? { _zod: { check: ch, def: { check: "custom" }, onattach: [] } } : ch)
      ]
    }, { parent: true });
  },
  clone(_def, params) {
    return clone(this, _def, params);
  },
  brand() {
    return this;
  },
  register(reg, meta2) {
    reg.add(this, meta2);
    return this;
  },
  apply(fn, ...args) {
    return args.length === 0 ? fn(this) : fn(this, ...args);
  }
});
var ZodMiniString = /* @__PURE__ */ $constructor("ZodMiniString", (inst, def) => {
  $ZodString.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function string2(params) {
  return _string(ZodMiniString, params);
}
var ZodMiniStringFormat = /* @__PURE__ */ $constructor("ZodMiniStringFormat", (inst, def) => {
  $ZodStringFormat.init(inst, def);
  ZodMiniString.init(inst, def);
});
var ZodMiniIPv4 = /* @__PURE__ */ $constructor("ZodMiniIPv4", (inst, def) => {
  $ZodIPv4.init(inst, def);
  ZodMiniStringFormat.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function ipv42(params) {
  return _ipv4(ZodMiniIPv4, params);
}
var ZodMiniIPv6 = /* @__PURE__ */ $constructor("ZodMiniIPv6", (inst, def) => {
  $ZodIPv6.init(inst, def);
  ZodMiniStringFormat.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function ipv62(params) {
  return _ipv6(ZodMiniIPv6, params);
}
var ZodMiniCIDRv4 = /* @__PURE__ */ $constructor("ZodMiniCIDRv4", (inst, def) => {
  $ZodCIDRv4.init(inst, def);
  ZodMiniStringFormat.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function cidrv42(params) {
  return _cidrv4(ZodMiniCIDRv4, params);
}
var ZodMiniCIDRv6 = /* @__PURE__ */ $constructor("ZodMiniCIDRv6", (inst, def) => {
  $ZodCIDRv6.init(inst, def);
  ZodMiniStringFormat.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function cidrv62(params) {
  return _cidrv6(ZodMiniCIDRv6, params);
}
var ZodMiniNumber = /* @__PURE__ */ $constructor("ZodMiniNumber", (inst, def) => {
  $ZodNumber.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function number2(params) {
  return _number(ZodMiniNumber, params);
}
var ZodMiniNumberFormat = /* @__PURE__ */ $constructor("ZodMiniNumberFormat", (inst, def) => {
  $ZodNumberFormat.init(inst, def);
  ZodMiniNumber.init(inst, def);
});
function int(params) {
  return _int(ZodMiniNumberFormat, params);
}
var ZodMiniBoolean = /* @__PURE__ */ $constructor("ZodMiniBoolean", (inst, def) => {
  $ZodBoolean.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function boolean2(params) {
  return _boolean(ZodMiniBoolean, params);
}
var ZodMiniUnknown = /* @__PURE__ */ $constructor("ZodMiniUnknown", (inst, def) => {
  $ZodUnknown.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function unknown() {
  return _unknown(ZodMiniUnknown);
}
var ZodMiniNever = /* @__PURE__ */ $constructor("ZodMiniNever", (inst, def) => {
  $ZodNever.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function never(params) {
  return _never(ZodMiniNever, params);
}
var ZodMiniArray = /* @__PURE__ */ $constructor("ZodMiniArray", (inst, def) => {
  $ZodArray.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function array(element, params) {
  return new ZodMiniArray({
    type: "array",
    element,
    ...normalizeParams(params)
  });
}
var ZodMiniObject = /* @__PURE__ */ $constructor("ZodMiniObject", (inst, def) => {
  $ZodObject.init(inst, def);
  ZodMiniType.init(inst, def);
  installLazyProp(inst, "shape", (self) => self._zod.def.shape, false);
});
// @__NO_SIDE_EFFECTS__
function strictObject(shape, params) {
  return new ZodMiniObject({
    type: "object",
    shape,
    catchall: /* @__PURE__ */ never(),
    ...normalizeParams(params)
  });
}
// @__NO_SIDE_EFFECTS__
function partial2(schema, mask) {
  const def = schema._zod.def;
  if (def.type !== "tuple")
    return partial(ZodMiniOptional, schema, mask);
  if (def.checks?.length)
    throw new Error(".partial() cannot be used on tuple schemas containing refinements");
  return clone(schema, {
    ...def,
    items: def.items.map((item) => new ZodMiniOptional({ type: "optional", innerType: item }))
  });
}
var ZodMiniUnion = /* @__PURE__ */ $constructor("ZodMiniUnion", (inst, def) => {
  $ZodUnion.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function union(options, params) {
  return new ZodMiniUnion({
    type: "union",
    options,
    ...normalizeParams(params)
  });
}
var ZodMiniDiscriminatedUnion = /* @__PURE__ */ $constructor("ZodMiniDiscriminatedUnion", (inst, def) => {
  $ZodDiscriminatedUnion.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function discriminatedUnion(discriminator, options, params) {
  return new ZodMiniDiscriminatedUnion({
    type: "union",
    options,
    discriminator,
    ...normalizeParams(params)
  });
}
var ZodMiniTuple = /* @__PURE__ */ $constructor("ZodMiniTuple", (inst, def) => {
  $ZodTuple.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function tuple(items, _paramsOrRest, _params) {
  const hasRest = _paramsOrRest instanceof $ZodType;
  const params = hasRest ? _params : _paramsOrRest;
  const rest = hasRest ? _paramsOrRest : null;
  return new ZodMiniTuple({
    type: "tuple",
    items,
    rest,
    ...normalizeParams(params)
  });
}
var ZodMiniRecord = /* @__PURE__ */ $constructor("ZodMiniRecord", (inst, def) => {
  $ZodRecord.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function record(keyType, valueType, params) {
  if (!valueType || !valueType._zod) {
    return new ZodMiniRecord({
      type: "record",
      keyType: /* @__PURE__ */ string2(),
      valueType: keyType,
      ...normalizeParams(valueType)
    });
  }
  return new ZodMiniRecord({
    type: "record",
    keyType,
    valueType,
    ...normalizeParams(params)
  });
}
var ZodMiniEnum = /* @__PURE__ */ $constructor("ZodMiniEnum", (inst, def) => {
  $ZodEnum.init(inst, def);
  ZodMiniType.init(inst, def);
  inst.options = [...inst._zod.values];
});
// @__NO_SIDE_EFFECTS__
function _enum(values, params) {
  const entries = Array.isArray(values) ? Object.fromEntries(values.map((v) => [v, v])) : values;
  return new ZodMiniEnum({
    type: "enum",
    entries,
    ...normalizeParams(params)
  });
}
var ZodMiniLiteral = /* @__PURE__ */ $constructor("ZodMiniLiteral", (inst, def) => {
  $ZodLiteral.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function literal(value, params) {
  return new ZodMiniLiteral({
    type: "literal",
    values: Array.isArray(value) ? value : [value],
    ...normalizeParams(params)
  });
}
var ZodMiniTransform = /* @__PURE__ */ $constructor("ZodMiniTransform", (inst, def) => {
  $ZodTransform.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function transform(fn) {
  return new ZodMiniTransform({
    type: "transform",
    transform: fn
  });
}
var ZodMiniOptional = /* @__PURE__ */ $constructor("ZodMiniOptional", (inst, def) => {
  $ZodOptional.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function optional(innerType) {
  return new ZodMiniOptional({
    type: "optional",
    innerType
  });
}
var ZodMiniNullable = /* @__PURE__ */ $constructor("ZodMiniNullable", (inst, def) => {
  $ZodNullable.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function nullable(innerType) {
  return new ZodMiniNullable({
    type: "nullable",
    innerType
  });
}
var ZodMiniDefault = /* @__PURE__ */ $constructor("ZodMiniDefault", (inst, def) => {
  $ZodDefault.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function _default(innerType, defaultValue) {
  return new ZodMiniDefault({
    type: "default",
    innerType,
    get defaultValue() {
      return typeof defaultValue === "function" ? defaultValue() : shallowClone(defaultValue);
    }
  });
}
var ZodMiniPipe = /* @__PURE__ */ $constructor("ZodMiniPipe", (inst, def) => {
  $ZodPipe.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function pipe(in_, out) {
  return new ZodMiniPipe({
    type: "pipe",
    in: in_,
    out
  });
}
var ZodMiniCustom = /* @__PURE__ */ $constructor("ZodMiniCustom", (inst, def) => {
  $ZodCustom.init(inst, def);
  ZodMiniType.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function custom(fn, _params) {
  return _custom(ZodMiniCustom, fn ?? (() => true), _params);
}
// @__NO_SIDE_EFFECTS__
function refine(fn, _params = {}) {
  return _refine(ZodMiniCustom, fn, _params);
}

// node_modules/zod/v4/mini/iso.js
var iso_exports = {};
__export(iso_exports, {
  ZodMiniISODate: () => ZodMiniISODate,
  ZodMiniISODateTime: () => ZodMiniISODateTime,
  ZodMiniISODuration: () => ZodMiniISODuration,
  ZodMiniISOTime: () => ZodMiniISOTime,
  date: () => date2,
  datetime: () => datetime2,
  duration: () => duration2,
  time: () => time2
});
var ZodMiniISODateTime = /* @__PURE__ */ $constructor("ZodMiniISODateTime", (inst, def) => {
  $ZodISODateTime.init(inst, def);
  ZodMiniStringFormat.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function datetime2(params) {
  return _isoDateTime(ZodMiniISODateTime, params);
}
var ZodMiniISODate = /* @__PURE__ */ $constructor("ZodMiniISODate", (inst, def) => {
  $ZodISODate.init(inst, def);
  ZodMiniStringFormat.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function date2(params) {
  return _isoDate(ZodMiniISODate, params);
}
var ZodMiniISOTime = /* @__PURE__ */ $constructor("ZodMiniISOTime", (inst, def) => {
  $ZodISOTime.init(inst, def);
  ZodMiniStringFormat.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function time2(params) {
  return _isoTime(ZodMiniISOTime, params);
}
var ZodMiniISODuration = /* @__PURE__ */ $constructor("ZodMiniISODuration", (inst, def) => {
  $ZodISODuration.init(inst, def);
  ZodMiniStringFormat.init(inst, def);
});
// @__NO_SIDE_EFFECTS__
function duration2(params) {
  return _isoDuration(ZodMiniISODuration, params);
}

// release/text.ts
function quote(input) {
  const text2 = (JSON.stringify(input) ?? String(input)).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
  return text2.length > 60 ? `${text2.slice(0, 57)}..."` : text2;
}
function inOneLine(message) {
  return message.replace(/[\p{C}\p{Zl}\p{Zp}]+\s*/gu, " ");
}

// release/patterns.ts
var matches = (pattern3, what) => string2().check(
  refine((text2) => pattern3.test(text2), {
    error: (issue2) => `${quote(issue2.input)} is not a valid ${what}`
  })
);
var SHORT_NAME = /^[a-z][a-z0-9-]{0,23}$/;
var SHORT_NAME_RULE = "a-z, 0-9 and -, at most 24 characters";
var EnvironmentName = matches(SHORT_NAME, `environment name: ${SHORT_NAME_RULE}`);
var ApplicationName = matches(SHORT_NAME, `application name: ${SHORT_NAME_RULE}`);
var Sha256 = string2().check(_regex(/^[0-9a-f]{64}$/, "sha256 is 64 lower-case hexadecimal digits"));
var Port = int().check(_gte(1), _lte(65535));
var HTTP_PATH = /^\/[A-Za-z0-9._~!&()*+,;=:@%/?-]{0,500}$/;
var HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?$/;
var HEADER_NAME = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;
var FOLDER = /^(?!.*(^|\/)\.{1,2}(\/|$))[A-Za-z0-9._][A-Za-z0-9._/-]{0,199}$/;
var pattern = string2().check(
  _minLength(1),
  _maxLength(500),
  refine(isPattern, { error: (issue2) => `${quote(issue2.input)} is not a valid regular expression` })
);
var Argument = string2().check(
  _minLength(1),
  _maxLength(500),
  refine((text2) => !/[\u0000-\u001f\u007f]/.test(text2), { error: () => "no control characters" })
);
var Program = array(Argument).check(
  _minLength(1),
  _maxLength(50),
  refine(([program]) => program === void 0 || /^[^=-][^=]*$/.test(program), {
    error: () => `must start with a program, without "=" or a leading "-" in its name`
  })
);
function isOrigin(text2) {
  if (!/^https?:\/\/[\x21-\x7e]+$/i.test(text2) || !URL.canParse(text2)) return false;
  const { pathname, search, hash, username, password } = new URL(text2);
  return pathname === "/" && `${search}${hash}${username}${password}` === "";
}
function isPattern(text2) {
  try {
    new RegExp(text2, "u");
    return true;
  } catch {
    return false;
  }
}

// configuration/http-exchange.ts
var HeaderName = string2().check(_regex(HEADER_NAME));
var HeaderValue = string2().check(
  _maxLength(1e3),
  refine((text2) => /^[\x20-\x7e]*$/.test(text2), { error: () => "printable ASCII only" })
);
var Expectation = {
  /** @default 200 */
  status: _default(int().check(_gte(100), _lte(599)), 200),
  /** A regular expression that the body must match somewhere. @default any body */
  bodyPattern: optional(pattern),
  /** Regular expressions by header name; each must match somewhere. @default any headers */
  headerPatterns: _default(record(HeaderName, pattern), {})
};
var HttpExchange = strictObject({
  /** @default "GET" */
  method: _default(_enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]), "GET"),
  path: matches(HTTP_PATH, "HTTP path"),
  /** @default none but Host */
  headers: _default(record(HeaderName, HeaderValue), {}),
  body: optional(string2().check(_maxLength(1e4))),
  ...Expectation
});
var Activation = strictObject({ activate: HttpExchange, deactivate: HttpExchange });

// configuration/verification.ts
var seconds = (minimum, maximum) => number2().check(
  _gte(minimum),
  _lte(maximum),
  refine((value) => /^\d+(\.\d{1,3})?$/.test(String(value)), { error: () => "at most three decimals" })
);
var wholeSeconds = (minimum, maximum) => int().check(_gte(minimum), _lte(maximum));
var Verification = strictObject({
  /** The path requested on every endpoint. @default "/health" */
  path: _default(matches(HTTP_PATH, "HTTP path"), "/health"),
  ...Expectation,
  /** The only healthy status; redirects are not followed. @default 200 */
  status: _default(int().check(_gte(200), _lte(599)), 200),
  /** The Host header, usually the public host name. @default the endpoint's own address */
  host: optional(matches(HOST_NAME, "host name")),
  /** The header with the release id; null: the id must be in the body. @default "x-release-id" */
  releaseHeader: _default(nullable(matches(HEADER_NAME, "header name")), "x-release-id"),
  /** Required successes in a row, on each endpoint. @default 3 */
  successes: _default(int().check(_gte(1), _lte(100)), 3),
  /** Pause between two requests to an endpoint. @default 1 */
  intervalSeconds: _default(seconds(0.01, 60), 1),
  /** Time limit of one request. @default 5 */
  timeoutSeconds: _default(seconds(0.1, 60), 5),
  /** The candidate is rejected after this time without enough successes. @default 60 */
  deadlineSeconds: _default(wholeSeconds(1, 3600), 60),
  /** Requests to every healthy endpoint, in this order, with the same host and time limit. @default none */
  smoke: _default(array(HttpExchange).check(_maxLength(50)), [])
});

// configuration/http-settings.ts
var HostName = matches(
  /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/,
  "host name: lower case, without scheme or port"
);
var AddressRange = union([ipv42(), ipv62(), cidrv42(), cidrv62()], {
  error: () => `must be an address or a range, as in "10.1.0.0/24"`
});
var HttpSettings = strictObject({
  /**
   * The longest silence of an instance: before its answer begins, and between two parts of it. Then the user gets 504 or
   * the end of the connection, and nothing is sent again. @default 120
   */
  answerSeconds: _default(wholeSeconds(1, 3600), 120),
  /** The longest silence of a client in the middle of its request, or while it should read an answer. @default 75 */
  clientSeconds: _default(wholeSeconds(1, 3600), 75),
  /** The time for the headers of a request. @default 30 */
  headersSeconds: _default(wholeSeconds(1, 300), 30),
  /** How long a connection without a request stays open. @default 75 */
  idleSeconds: _default(wholeSeconds(1, 3600), 75),
  /** The longest silence in both directions of a WebSocket. @default 3600 */
  tunnelSeconds: _default(wholeSeconds(1, 86400), 3600),
  /** The size of all headers of a request with its URL, and of an answer's headers, in KiB. Beyond it: 4xx, or 502. @default 32 */
  headerKilobytes: _default(int().check(_gte(4), _lte(64)), 32),
  /** The declared length of a request's body, in MiB. Beyond it: 413. @default 1024 */
  bodyMegabytes: _default(int().check(_gte(1), _lte(1e6)), 1024),
  /**
   * Balancers in front of the proxies, whose X-Forwarded-For, -Proto and -Host are kept. From any other address the
   * proxies replace these headers. @default none
   */
  trusted: _default(array(AddressRange).check(_maxLength(100)), []),
  /**
   * The site's host names. If there are any, only requests for these are redirected to HTTPS.
   * @default on Azure `platform.domain`, else any
   */
  hosts: _default(array(HostName).check(_maxLength(100)), [])
});
var DEFAULT_HTTP_SETTINGS = parse(HttpSettings, {});
var CONNECT_MILLISECONDS = 500;

// release/slot.ts
var SLOTS = ["blue", "green"];
function otherSlot(slot) {
  return slot === "blue" ? "green" : "blue";
}

// on-server/director/drivers/driver.ts
var CLOSED = { live: null, weight: 0, offset: 0, mode: "serve", fallback: false };
var MOST_CLIENTS = 1e3;
var BUCKETS = 100;
function trafficEntries(traffic) {
  const entries = [
    ["live", traffic.live ?? "none"],
    ["weight", String(traffic.weight)],
    ["offset", String(traffic.offset)],
    ["mode", traffic.mode],
    ["fallback", traffic.fallback ? "on" : "off"]
  ];
  parseTraffic(new Map(entries));
  return entries;
}
function parseTraffic(entries) {
  const live = entries.get("live");
  const weight = Number(entries.get("weight") ?? entries.get("share"));
  const offset = Number(entries.get("offset"));
  const mode = entries.get("mode");
  const fallback = entries.get("fallback");
  if ((live === "blue" || live === "green" || live === "none") && Number.isInteger(weight) && weight >= 0 && weight <= 100 && Number.isInteger(offset) && offset >= 0 && offset <= 99 && (mode === "serve" || mode === "hold" || mode === "page") && (fallback === "on" || fallback === "off")) {
    return { live: live === "none" ? null : live, weight, offset, mode, fallback: fallback === "on" };
  }
  throw new Error(
    `the proxy's traffic entries are invalid, another process changed them: ${JSON.stringify([...entries])}`
  );
}

// on-server/director/drivers/nginx/slot-tally.ts
var REMEMBERED = 20 * MOST_CLIENTS;

// on-server/director/drivers/nginx/answers-log.ts
var ANSWERS_LOG = "answers.log";
var COUNTED_FORMAT = "$slot|$status|$request_completion|$upstream_addr|$upstream_header_time|$bucket|$remote_addr|";
var COUNTED = `access_log ${ANSWERS_LOG} answers buffer=16k flush=100ms if=$counted;`;
var LIMIT = 64 * 1024 * 1024;
var OLDER = `${ANSWERS_LOG}.older`;

// on-server/director/drivers/pages.ts
var NOTHING_DEPLOYED = {
  title: "Nothing is deployed yet",
  text: "The first release is on its way."
};
var UPDATING = { title: "The site is being updated", text: "It is back in a moment." };
var RETRY_AFTER_SECONDS = "5";
function htmlOf({ title, text: text2 }) {
  return `<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=width&#61;device-width><title>${title}</title><style>body{font-family:sans-serif;margin:20vh auto;max-width:30em}</style><h1>${title}</h1><p>${text2}</p>`;
}

// configuration/cookies.ts
var BUCKET_COOKIE = "bluegreen-bucket";
var PREVIEW_COOKIE = "bluegreen-preview";
var BUCKET_SECONDS = 30 * 24 * 60 * 60;
function bucketAttributes(secure) {
  return `; Path=/; Max-Age=${BUCKET_SECONDS}; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
}
var NOT_MODIFIED = 304;
var NOT_SHARED = "(^|[,\\s])(private|no-store)([,=\\s]|$)";
var SHARED = '(^|[,\\s])(public([,\\s]|$)|s-maxage="?0*[1-9]|max-age="?0*[1-9])';
var EXPIRES_AHEAD = "\\s(20[2-9][0-9]|2[1-9][0-9][0-9])\\s";

// configuration/private-paths.ts
function privatePaths({
  activation
}) {
  if (!activation) return [];
  return [...new Set([activation.activate.path, activation.deactivate.path].map(normalPath))];
}
function normalPath(path) {
  const [raw = ""] = path.split(/[?#]/, 1);
  const segments = [];
  for (const segment of decoded(raw).toLowerCase().split(/[/\\]+/)) {
    const [name = ""] = segment.split(";", 1);
    if (name === "..") segments.pop();
    else if (name !== "" && name !== ".") segments.push(name);
  }
  return `/${segments.join("/")}`;
}
function decoded(text2) {
  return text2.replace(
    /%([0-9a-f]{2})/gi,
    (_, hexadecimal2) => String.fromCharCode(Number.parseInt(hexadecimal2, 16))
  );
}

// on-server/director/drivers/nginx/request-maps.ts
function quoted(text2) {
  return `"${text2.replace(/[\\"]/g, "\\$&")}"`;
}
function pattern2(expression) {
  return quoted(`~*${expression}`);
}
function requestMaps(spec) {
  return [
    hostMap(spec),
    bucketMaps(),
    cookieMaps(spec),
    bodyMaps(),
    ...spec.preview === null ? [] : [previewMaps()],
    ...spec.proxy.http.trusted.length === 0 ? [] : [balancerMaps(spec.proxy.http.trusted)],
    ...hasPrivatePaths(spec) ? [privateMap(spec)] : []
  ].join("");
}
function hasPrivatePaths(spec) {
  return privatePaths(spec).length > 0;
}
function hostMap({ verification }) {
  return `  # HTTP/1.0 clients may omit the host.
  map $http_host $asked_host {
    default $http_host;
    '' ${verification.host ?? "localhost"};
  }
`;
}
function bucketMaps() {
  const last = BUCKETS - 1;
  return `  map $http_cookie $own_bucket {
    default '';
    '~(?:^|;\\s*)${BUCKET_COOKIE}=0?(?<asked_bucket>[1-9]?[0-9])(?:;|$)' $asked_bucket;
  }
  split_clients $request_id $drawn_bucket {
${Array.from({ length: last }, (_, bucket) => `    1% ${bucket};
`).join("")}    * ${last};
  }
  map $own_bucket $bucket {
    default $own_bucket;
    '' $drawn_bucket;
  }
`;
}
function cookieMaps({ proxy }) {
  const cookie = `${BUCKET_COOKIE}=$drawn_bucket${bucketAttributes(proxy.tls !== null)}`;
  return `  map $offered $bucket_cookie {
    default '';
    offered $new_bucket;
  }
  map $own_bucket $new_bucket {
    default '';
    '' $bucket_by_answer;
  }
  map $answer_kind $bucket_by_answer {
    default ${quoted(cookie)};
    shared '';
  }
  map $bucket_cookie $bucket_privacy {
    default $privacy_by_answer;
    '' '';
  }
  map $answer_kind $privacy_by_answer {
    default private;
    personal '';
  }
  map $sent_http_cache_control $cache_control_kind {
    default unknown;
    ${pattern2(NOT_SHARED)} personal;
    ${pattern2(SHARED)} shared;
  }
  map $sent_http_expires $expires_kind {
    default unknown;
    ${pattern2(EXPIRES_AHEAD)} shared;
  }
  map "$status $cache_control_kind $expires_kind" $answer_kind {
    default unknown;
    "~^${NOT_MODIFIED} " shared;
    "~ personal " personal;
    "~shared" shared;
  }
`;
}
function bodyMaps() {
  return `  map "$http_expect|$content_length|$http_transfer_encoding|$server_protocol|$request_method" $streamed {
    default streamed;
    "|||HTTP/1.1|GET" '';
    "|||HTTP/1.1|HEAD" '';
    "~^\\\\|[0-9]{0,5}\\\\|\\\\|HTTP/1" '';
    "~^\\\\|[0-9]{1,5}\\\\|\\\\|HTTP" '';
    "~^\\\\|\\\\|\\\\|HTTP/[23].*\\\\|(GET|HEAD|DELETE|OPTIONS)$" '';
  }
  # Whether an instance was connected to, and so got the request. Evaluated after each attempt.
  map $upstream_connect_time $sent {
    volatile;
    default '';
    "~[0-9]" sent;
  }
  map "$sent $upstream_status" $broke {
    volatile;
    default '';
    "~^sent .*504$" late;
    "~^sent" broke;
  }
`;
}
function previewMaps() {
  const without = (from, to, value) => `  map ${from} ${to} {
    default ${from};
    '~^${PREVIEW_COOKIE}=[^;]*(?:;\\s*(?<${value}_rest>.*))?$' $${value}_rest;
    '~^(?<${value}_head>.+?);\\s*${PREVIEW_COOKIE}=[^;]*(?<${value}_tail>;.*)?$' $${value}_head$${value}_tail;
  }
`;
  return `${without("$http_cookie", "$cookie_once", "once")}${without("$cookie_once", "$application_cookie", "twice")}  map $http_cookie $preview_cookie {
    default '';
    '~(?:^|;\\s*)${PREVIEW_COOKIE}=(?<preview_value>[^;]+)' $preview_value;
  }
  map $http_x_bluegreen_preview $preview_secret {
    default $http_x_bluegreen_preview;
    '' $preview_cookie;
  }
  # With the right secret $secure_link is 1, otherwise empty. Few requests have one.
  map $preview_secret $knows_secret {
    default $secure_link;
    '' '';
  }
`;
}
function balancerMaps(trusted) {
  const kept = (name, else_) => `  map $balancer $forwarded_${name} {
    default $balancers_${name};
    '' ${else_};
  }
  map $http_x_forwarded_${name} $balancers_${name} {
    default $http_x_forwarded_${name};
    '' ${else_};
  }
`;
  return `  geo $balancer {
    default '';
${trusted.map((range2) => `    ${range2} trusted;
`).join("")}  }
  map $balancer $forwarded_for {
    default $proxy_add_x_forwarded_for;
    '' $remote_addr;
  }
  map $balancer $forwarded {
    default $http_forwarded;
    '' '';
  }
${kept("proto", "$scheme")}${kept("host", "$asked_host")}`;
}
function forwardedHeaders({ proxy }) {
  if (proxy.http.trusted.length === 0)
    return {
      "X-Forwarded-For": "$remote_addr",
      "X-Forwarded-Proto": "$scheme",
      "X-Forwarded-Host": "$asked_host",
      Forwarded: "''"
    };
  return {
    "X-Forwarded-For": "$forwarded_for",
    "X-Forwarded-Proto": "$forwarded_proto",
    "X-Forwarded-Host": "$forwarded_host",
    Forwarded: "$forwarded"
  };
}
function privateMap(spec) {
  const nothing = "(?:[/\\\\]+\\.?(?:;[^/\\\\]*)?(?=[/\\\\]|$))*";
  const segment = (name) => `[/\\\\]+${name.replace(/[^a-z0-9]/g, (sign) => `\\x{${sign.charCodeAt(0).toString(16)}}`)}(?:;[^/\\\\]*)?(?=[/\\\\]|$)`;
  const entries = privatePaths(spec).flatMap((path) => {
    const segments = path.split("/").filter(Boolean).map(segment);
    const whole = `^${segments.map((each) => `${nothing}${each}`).join("")}${nothing}$`;
    const climbing = `[/\\\\]\\.\\.(?:;[^/\\\\]*)?[/\\\\].*${segments.at(-1) ?? ""}${nothing}$`;
    return [whole, climbing].map((expression) => `    ${pattern2(expression)} private;
`);
  });
  return `  map $uri $private {
    default '';
${entries.join("")}  }
`;
}

// on-server/director/drivers/nginx/traffic-folder.ts
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs";
var LIVE = "live";
var MARKS = {
  /** All requests go to this slot, nothing fails over, and nobody counts. */
  restBlue: "rest-blue",
  restGreen: "rest-green",
  /** The same, for a configuration that checks the buckets first. */
  atRest: "at-rest",
  /** Open, divided, and each slot fails over to the other. */
  shifting: "shifting",
  open: "open",
  divided: "divided",
  fallback: "fallback",
  page: "page",
  liveBlue: "live-blue"
};
var SHORT = [MARKS.restBlue, MARKS.restGreen, MARKS.atRest, MARKS.shifting];
var VALUE = "value.json";
var FOLDER2 = /^traffic-(\d+)$/;
function readTraffic() {
  const found = readdirSync(LIVE).filter((name) => name !== VALUE);
  const value = readValue();
  const short = SHORT.filter((mark) => found.includes(mark));
  const single = found.filter((name) => !SHORT.includes(name));
  const expected = filesOf(value, true);
  if (isSame(singleFilesOf(value), single) && short.every((mark) => expected.includes(mark))) return value;
  const has = (mark) => found.includes(mark);
  const [first] = short;
  const buckets = found.filter((name) => /^[0-9]{1,2}$/.test(name)).length;
  const toGreen = first === MARKS.restBlue ? 0 : first === MARKS.restGreen ? 100 : buckets;
  const isOpen = first !== void 0 || has(MARKS.open);
  const live = !isOpen ? null : has(MARKS.liveBlue) ? "blue" : "green";
  return {
    live,
    weight: live === "green" ? 100 - toGreen : toGreen,
    // The buckets differ from the value, so report another offset.
    offset: (value.offset + 1) % 100,
    mode: first === void 0 && has(MARKS.page) ? "page" : "serve",
    fallback: first === void 0 ? has(MARKS.fallback) : first === MARKS.shifting
  };
}
function readValue() {
  try {
    const text2 = readFileSync(`${LIVE}/${VALUE}`, "utf8");
    return parseTraffic(new Map(JSON.parse(text2)));
  } catch {
    return CLOSED;
  }
}
function writeTraffic(traffic, isCounted = false) {
  const value = JSON.stringify(trafficEntries(traffic));
  const numbers = readdirSync(".").flatMap((name) => Number(FOLDER2.exec(name)?.[1] ?? []));
  const folder = `traffic-${Math.max(0, ...numbers) + 1}`;
  mkdirSync(folder);
  chmodSync(folder, 493);
  writeFileSync(`${folder}/${VALUE}`, value);
  for (const name of filesOf(traffic, !isCounted)) linkSync(`${folder}/${VALUE}`, `${folder}/${name}`);
  flush(folder);
  rmSync(`${LIVE}.new`, { force: true });
  symlinkSync(folder, `${LIVE}.new`);
  const before = existsSync(LIVE) ? readlinkSync(LIVE) : null;
  renameSync(`${LIVE}.new`, LIVE);
  flush(".");
  const old = numbers.map((number3) => `traffic-${number3}`).filter((name) => name !== before);
  for (const name of old) rmSync(name, { recursive: true, force: true });
}
function provideTraffic() {
  if (!existsSync(LIVE)) writeTraffic(CLOSED);
}
function isSame(files, found) {
  return JSON.stringify(files.sort()) === JSON.stringify(found.sort());
}
function filesOf(traffic, withRest) {
  const { live, weight, mode, fallback } = traffic;
  const files = singleFilesOf(traffic);
  if (live === null || mode !== "serve") return files;
  if (isDivided(weight)) return fallback ? [...files, MARKS.shifting] : files;
  if (fallback) return files;
  const rest = live === "green" === (weight === 0) ? MARKS.restGreen : MARKS.restBlue;
  return withRest ? [...files, rest, MARKS.atRest] : files;
}
function isDivided(weight) {
  return weight > 0 && weight < 100;
}
function singleFilesOf(traffic) {
  const { live, weight, offset, mode, fallback } = traffic;
  if (live === null) return [];
  const buckets = Array.from({ length: 100 }, (_, bucket) => bucket).filter((bucket) => {
    const toOther = (bucket + offset) % 100 < weight;
    return toOther === (live === "blue");
  });
  return [
    ...buckets.map(String),
    MARKS.open,
    ...isDivided(weight) ? [MARKS.divided] : [],
    ...mode === "serve" ? [] : [MARKS.page],
    ...fallback ? [MARKS.fallback] : [],
    ...live === "blue" ? [MARKS.liveBlue] : []
  ];
}
function flush(folder) {
  const file = openSync(folder, "r");
  fsyncSync(file);
  closeSync(file);
}

// on-server/director/drivers/nginx/locations.ts
var INTERNAL = {
  closed: 460,
  private: 461,
  preview: 462,
  socket: 463,
  streamed: 464,
  broke: 465,
  late: 466
};
var RETRY_MILLISECONDS = CONNECT_MILLISECONDS + 400;
var WEBSOCKET = "if ($http_upgrade ~* ^websocket$)";
var AFTER_FAILURE = `error_page 502 504 = @nobody;
      error_page ${INTERNAL.broke} = @broke;
      error_page ${INTERNAL.late} = @late;`;
var GIVE_UP = `if ($broke = late) {
        return ${INTERNAL.late};
      }
      if ($broke) {
        return ${INTERNAL.broke};
      }`;
var RETRIES = `proxy_next_upstream error timeout;
      proxy_next_upstream_timeout ${RETRY_MILLISECONDS}ms;`;
function locations(spec) {
  const { http } = spec.proxy;
  const previews = spec.preview !== null;
  return `    location / {
      error_page ${INTERNAL.closed} = @closed;
      error_page ${INTERNAL.private} = @private;
      error_page ${INTERNAL.preview} = @preview;
      error_page ${INTERNAL.socket} = @socket;
      error_page ${INTERNAL.streamed} = @streamed;
      error_page 502 504 = @again;
${hasPrivatePaths(spec) ? refuse("if ($private)", "private") : ""}${refuse("if ($closed)", "closed")}${previews ? refuse("if ($previewed)", "preview") : ""}${refuse(WEBSOCKET, "socket")}${refuse("if ($streamed)", "streamed")}      ${COUNTED}
      proxy_pass http://slot_$slot;
    }
    location @again {
      ${AFTER_FAILURE}
      ${GIVE_UP}
      ${WHERE_TRAFFIC_GOES}
      ${COUNTED}
      ${RETRIES}
      proxy_pass http://\${way}_$now$but_now;
    }
    # An answer may come before the whole request has been read. NGINX ends the connection then, so the client must know.
    location @streamed {
      ${AFTER_FAILURE}
      ${COUNTED}
      keepalive_timeout 0;
      proxy_request_buffering off;
      ${RETRIES}
      proxy_pass http://\${way}_$slot;
    }
    location @socket {
      error_page 502 504 = @socket_again;
      ${COUNTED}
      ${tunnel(spec)}
      proxy_pass http://slot_$slot;
    }
    location @socket_again {
      ${AFTER_FAILURE}
      ${GIVE_UP}
      ${WHERE_TRAFFIC_GOES}
      ${COUNTED}
      ${tunnel(spec)}
      ${RETRIES}
      proxy_pass http://\${way}_$now$but_now;
    }
${previews ? previewLocations(spec) : ""}    # Nobody was reached, unless an instance broke off after others were unreachable.
    location @nobody {
      error_page ${INTERNAL.broke} = @broke;
      error_page ${INTERNAL.late} = @late;
      ${GIVE_UP}
      ${COUNTED}
      ${page(UPDATING)}
    }
    location @broke {
      ${COUNTED}
      ${text(502, "The application broke off.")}
    }
    location @late {
      ${COUNTED}
      ${text(504, `The application did not answer within ${http.answerSeconds} seconds.`)}
    }
    location @closed {
      ${page(NOTHING_DEPLOYED)}
    }
${hasPrivatePaths(spec) ? `    location @private {
      ${text(404, "Not found.")}
    }
` : ""}`;
}
var WHERE_TRAFFIC_GOES = `set $now blue;
      if (-f ${LIVE}/$bucket) {
        set $now green;
      }
      set $way slot;
      if (-f ${LIVE}/${MARKS.fallback}) {
        set $way shift;
      }`;
function requestHeaders(spec, others = {}) {
  const headers = {
    Host: "$asked_host",
    Connection: "''",
    Upgrade: "''",
    ...forwardedHeaders(spec),
    "X-Bluegreen-Preview": "''",
    ...spec.preview === null ? {} : { Cookie: "$application_cookie" },
    ...others
  };
  return Object.entries(headers).map(([name, value]) => `proxy_set_header ${name} ${value};`).join("\n      ");
}
function tunnel(spec) {
  const { tunnelSeconds } = spec.proxy.http;
  return `${requestHeaders(spec, { Connection: "upgrade", Upgrade: "websocket" })}
      proxy_read_timeout ${tunnelSeconds}s;
      proxy_send_timeout ${tunnelSeconds}s;`;
}
function previewLocations(spec) {
  const answers = `proxy_hide_header Cache-Control;
      proxy_hide_header Expires;
      add_header Cache-Control no-store always;
      add_header X-Bluegreen-Slot $previewed always;`;
  return `    location @preview {
      error_page ${INTERNAL.socket} = @preview_socket;
      ${AFTER_FAILURE}
${refuse(WEBSOCKET, "socket")}      ${answers}
      ${RETRIES}
      proxy_pass http://slot_$slot;
    }
    location @preview_socket {
      ${AFTER_FAILURE}
      ${answers}
      ${tunnel(spec)}
      ${RETRIES}
      proxy_pass http://slot_$slot;
    }
`;
}
function refuse(condition, status) {
  return `      ${condition} {
        return ${INTERNAL[status]};
      }
`;
}
var OF_PREVIEWS = `add_header X-Bluegreen-Slot $previewed always;
      add_header Cache-Control $preview_storage always;`;
function page(shown) {
  return `default_type 'text/html; charset=utf-8';
      add_header Retry-After ${RETRY_AFTER_SECONDS} always;
      ${OF_PREVIEWS}
      return 503 '${htmlOf(shown)}';`;
}
function text(status, sentence) {
  return `default_type text/plain;
      ${OF_PREVIEWS}
      return ${status} "${sentence}\\n";`;
}

// on-server/director/drivers/nginx/nginx-program.ts
var OLDEST = { version: "1.18.0", user: null };
function isAtLeast({ version: version2 }, wanted) {
  const [numbers, others] = [version2, wanted].map((each) => each.split(".").map(Number));
  const different = numbers.findIndex((number3, index) => number3 !== others[index]);
  return different === -1 || numbers[different] > others[different];
}

// on-server/director/drivers/nginx/upstreams.ts
var KEPT = "    keepalive 128;\n    keepalive_timeout 500ms;\n";
function upstreams(spec, excluded) {
  const groups = (without) => SLOTS.flatMap((slot) => groupsOf(spec, excluded, slot, without));
  const most = Math.max(...SLOTS.map((slot) => spec.endpoints[slot].length));
  return [...groups(), ...Array.from({ length: most }, (_, index) => groups(index)).flat()].join("");
}
function groupsOf({ endpoints }, excluded, slot, without) {
  if (without !== void 0 && without >= endpoints[slot].length) return [];
  const servers = (of, isDown, option = "") => endpoints[of].map(({ server, host, port }, index) => {
    const down = excluded[of].includes(server) || isDown(index) ? " down" : "";
    return `    server ${host}:${port} max_fails=0${option}${down};
`;
  }).join("");
  const own2 = servers(slot, (index) => index === without);
  const backup = servers(otherSlot(slot), () => false, " backup");
  const suffix = without === void 0 ? "" : `_but_${without}`;
  const group = (name, text2) => `  upstream ${name}_${slot}${suffix} {
${text2}${KEPT}  }
`;
  return [group("slot", own2), group("shift", own2 + backup)];
}
function triedMap({ endpoints }, slotVariable, name) {
  const entries = SLOTS.flatMap((slot) => {
    const known = new Map(endpoints[slot].map(({ host, port }, index) => [`${host}:${port}`, index]));
    return [...known].map(([address, index]) => `    "${slot} ${address}" _but_${index};
`);
  });
  return `  map "${slotVariable} $upstream_addr" ${name} {
    default '';
${entries.join("")}  }
`;
}

// on-server/director/drivers/nginx/watch-marks.ts
var WATCHED = "watched";
var SPAN_MAP = `  map $msec $span {
    default '';
    '~^(?<spans>[0-9]+)[0-9][0-9][.]' $spans;
  }
`;

// on-server/director/drivers/nginx/nginx-configuration.ts
var ADMIN_SOCKET = "admin.sock";
var PID_FILE = "nginx.pid";
var ERROR_LOG = "nginx-error.log";
var NONE_EXCLUDED = { blue: [], green: [] };
var CONNECTIONS = 8192;
var BODY_KILOBYTES = 100;
var RECENTLY_SECONDS = 10;
var HEALTH = `    location = /proxy-healthz {
      default_type text/plain;
      return 200 "OK\\n";
    }
`;
var NginxConfigurator = class {
  constructor(spec, excluded = NONE_EXCLUDED, program = OLDEST) {
    this.spec = spec;
    this.excluded = excluded;
    this.program = program;
  }
  spec;
  excluded;
  program;
  /** Contains its own digest, which shows whether a reload took effect. */
  configuration() {
    const text2 = (generation) => this.text(generation);
    return text2(createHash("sha256").update(text2("")).digest("hex"));
  }
  text(generation) {
    const { application, environment, proxy } = this.spec;
    return `# ${application}, ${environment}: written by cdktf-bluegreen; a release changes ${LIVE} only.
${this.program.user === null ? "" : `user ${this.program.user};
`}worker_processes auto;
# Each connection of a client may need one to an instance.
worker_rlimit_nofile ${2 * CONNECTIONS};
pid ${PID_FILE};
error_log ${ERROR_LOG} warn;
events {
  worker_connections ${CONNECTIONS};
}
http {
  # What users and instances do wrong would fill the log.
  error_log ${ERROR_LOG} alert;
  client_body_temp_path temp-body;
  proxy_temp_path temp-proxy;
  fastcgi_temp_path temp-fastcgi;
  uwsgi_temp_path temp-uwsgi;
  scgi_temp_path temp-scgi;
  log_format answers '${COUNTED_FORMAT}${proxy.http.trusted.length === 0 ? "" : "$http_x_forwarded_for"}';
  access_log off;
  server_tokens off;
  underscores_in_headers on;
  merge_slashes off;
  recursive_error_pages on;
${this.limits()}
  proxy_http_version 1.1;
  proxy_redirect off;
  proxy_next_upstream off;
  # An event reaches its client at once, however its answer ends.
  proxy_buffering off;
${isAtLeast(this.program, "1.27.2") ? "  proxy_pass_trailers on;\n" : ""}
${requestMaps(this.spec)}${SPAN_MAP}${triedMap(this.spec, "$now", "$but_now")}${this.spec.preview === null ? "" : "  map $previewed $preview_storage {\n    default no-store;\n    '' '';\n  }\n"}
${upstreams(this.spec, this.excluded)}
  server {
    listen unix:${ADMIN_SOCKET};
    location = /generation {
      return 200 '${generation}';
    }
    location / {
      return 404;
    }
  }
${proxy.tls === null ? "" : this.redirect()}
  server {
${this.listen()}    ${requestHeaders(this.spec)}
    add_header Set-Cookie $bucket_cookie always;
    add_header Cache-Control $bucket_privacy always;

${this.route()}
${HEALTH}${locations(this.spec)}  }
}
`;
  }
  limits() {
    const { http } = this.spec.proxy;
    const keeps = isAtLeast(this.program, "1.27.4") ? `  keepalive_min_timeout ${Math.min(RECENTLY_SECONDS, http.idleSeconds)}s;
` : "";
    return `  client_header_timeout ${http.headersSeconds}s;
  client_body_timeout ${http.clientSeconds}s;
  send_timeout ${http.clientSeconds}s;
  keepalive_timeout ${http.idleSeconds}s;
${keeps}  keepalive_requests 1000000;
  # One buffer: it limits all headers together.
  large_client_header_buffers 1 ${http.headerKilobytes}k;
  client_body_buffer_size ${BODY_KILOBYTES}k;
  client_max_body_size ${http.bodyMegabytes}m;
  proxy_buffer_size ${http.headerKilobytes}k;
  proxy_connect_timeout ${CONNECT_MILLISECONDS}ms;
  proxy_read_timeout ${http.answerSeconds}s;
  proxy_send_timeout ${http.answerSeconds}s;`;
  }
  listen() {
    const { tls, host, port } = this.spec.proxy;
    if (tls === null) return `    listen ${host}:${port};
`;
    const http2 = isAtLeast(this.program, "1.25.1") ? ";\n    http2 on;" : " http2;";
    return `    listen ${host}:${tls.port} ssl${http2}
    ssl_certificate ${tls.certificate};
    ssl_certificate_key ${tls.certificate};
    ssl_protocols TLSv1.2 TLSv1.3;
`;
  }
  /** Where a request goes. Each mark alone is decisive, so no request sees half of a change. */
  route() {
    const previews = this.spec.preview === null ? "" : "$knows_secret";
    return `    set $slot blue;
    set $way slot;
    set $offered '';
    set $closed '';
    set $counted '';
    set $previewed '';
${this.knowsSecret()}    # Between releases: all requests go to one slot. Previews continue.
    if (-f ${LIVE}/${MARKS.restBlue}${previews}) {
      break;
    }
    if (-f ${LIVE}/${MARKS.restGreen}${previews}) {
      set $slot green;
      break;
    }
    if (-f ${WATCHED}/$span) {
      set $counted counted;
    }
    # There is a file for each bucket that goes to green.
    if (-f ${LIVE}/$bucket) {
      set $slot green;
    }
    if (-f ${LIVE}/${MARKS.shifting}${previews}) {
      set $way shift;
      set $offered offered;
      break;
    }
    if (-f ${LIVE}/${MARKS.fallback}) {
      set $way shift;
    }
    if (-f ${LIVE}/${MARKS.divided}) {
      set $offered offered;
    }
    if (!-f ${LIVE}/${MARKS.open}) {
      set $closed closed;
    }
${this.preview()}`;
  }
  /** With the right secret `$secure_link` is 1, otherwise empty. The configuration has only the secret's digest. */
  knowsSecret() {
    const { preview } = this.spec;
    if (preview === null) return "";
    const digest2 = Buffer.from(preview.md5 ?? "", "hex").toString("base64url");
    return `    secure_link '${digest2}';
    secure_link_md5 $preview_secret;
`;
  }
  /** The slot that is not live, for requests with the secret. */
  preview() {
    if (this.spec.preview === null) return "";
    return `    set $waiting blue;
    if (-f ${LIVE}/${MARKS.liveBlue}) {
      set $waiting green;
    }
    if ($knows_secret = 1) {
      set $slot $waiting;
      set $offered '';
      set $closed '';
      set $counted '';
      set $previewed $waiting;
    }
`;
  }
  /** A request for another host name gets 421: a redirect would send its user to whatever site the name has. */
  redirect() {
    const { host, port, tls, http } = this.spec.proxy;
    const suffix = tls.port === 443 ? "" : `:${tls.port}`;
    const isOurs = `  map $host $is_ours {
    default '';
${http.hosts.map((name) => `    ${name} ours;
`).join("")}  }
`;
    const others = `      if ($is_ours = '') {
        return 421;
      }
`;
    const named = http.hosts.length > 0;
    return `${named ? isOurs : ""}  server {
    listen ${host}:${port};
${HEALTH}    location / {
      if ($http_host = '') {
        return 400;
      }
${named ? others : ""}      return 308 https://$host${suffix}$request_uri;
    }
  }
`;
  }
};

// configuration/azure/azure-names.ts
import { createHash as createHash2 } from "node:crypto";

// release/archive.ts
var ARCHIVE_EXTENSIONS = [".zip", ".tar.gz"];
var ANY_ARCHIVE_EXTENSION = `(?:${ARCHIVE_EXTENSIONS.map((each) => each.replaceAll(".", "\\.")).join("|")})`;

// release/exit-code.ts
var EXIT = {
  /** Users get what was asked for. */
  done: 0,
  unexpected: 1,
  /** An invalid option, file or variable. */
  badInput: 2,
  /** A stale record, a lock held by another run, or a live slot other than the recorded one. Nothing was changed. */
  refused: 3,
  /** The candidate failed verification, or its migration failed. It never got a request. */
  rejected: 4,
  /** Aborted or misbehaving: traffic is back on stable. */
  aborted: 5,
  /** Traffic stays where it is healthy; a person decides. */
  frozen: 6
};
var CODES = Object.values(EXIT);

// release/failure.ts
var Failure = class extends Error {
  constructor(message, exitCode) {
    super(message);
    this.exitCode = exitCode;
  }
  exitCode;
  name = "Failure";
};
var InvalidInput = class extends Failure {
  name = "InvalidInput";
  constructor(message) {
    super(message, EXIT.badInput);
  }
};

// configuration/azure/azure-names.ts
var RULES = {
  resourceGroup: {
    pattern: /^[\w().-]*[\w()-]$/,
    minimum: 1,
    maximum: 90,
    characters: "letters, digits, _ ( ) . and -, not ending with a full stop",
    field: "platform.names.resourceGroup"
  },
  virtualMachine: {
    pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9_]$/,
    minimum: 2,
    maximum: 64,
    characters: "letters, digits, . _ and -"
  },
  windowsComputer: {
    pattern: /^(?!\d+$)[A-Za-z0-9-]*[A-Za-z0-9]$/,
    minimum: 1,
    maximum: 15,
    characters: "letters, digits and -, not only digits"
  },
  storageAccount: {
    pattern: /^[a-z0-9]+$/,
    minimum: 3,
    maximum: 24,
    characters: "lower-case letters and digits",
    field: "platform.names.storageAccount"
  },
  keyVault: {
    pattern: /^[a-zA-Z](?!.*--)[a-zA-Z0-9-]*[a-zA-Z0-9]$/,
    minimum: 3,
    maximum: 24,
    characters: "letters, digits and single hyphens, starting with a letter",
    field: "platform.names.keyVault"
  },
  sqlServer: {
    pattern: /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
    minimum: 1,
    maximum: 63,
    characters: "lower-case letters, digits and inner hyphens",
    field: "platform.names.sqlServer"
  }
};
var RESERVED = /(microsoft|windows|azure|office|xbox|login|bizspark)/i;
function checkName(kind, name, what) {
  const { pattern: pattern3, minimum, maximum, characters, field } = RULES[kind];
  const hint = field === void 0 ? "" : `; set ${field}`;
  if (name.length < minimum || name.length > maximum) {
    throw new InvalidInput(
      `the ${what}'s name "${name}" has ${name.length} characters, Azure allows ${minimum} to ${maximum}${hint}`
    );
  }
  if (!pattern3.test(name))
    throw new InvalidInput(`the ${what}'s name "${name}" must be ${characters}${hint}`);
  const reserved = kind === "resourceGroup" ? null : RESERVED.exec(name);
  if (reserved !== null) {
    throw new InvalidInput(
      `the ${what}'s name "${name}" contains "${reserved[0]}", which Azure reserves${hint}`
    );
  }
  return name;
}
function azureNames({ application, name, platform }) {
  const prefix = `${application}-${name}`;
  if (prefix.endsWith("-")) {
    throw new InvalidInput(
      `name "${name}" ends with a hyphen: most Azure names end with this name, and must not end with a hyphen`
    );
  }
  const suffix = platform.suffix ?? digest(`${platform.subscriptionId} ${prefix}`);
  const given = platform.names;
  return {
    prefix,
    resourceGroup: checkName("resourceGroup", given.resourceGroup ?? `rg-${prefix}`, "resource group"),
    storageAccount: checkName(
      "storageAccount",
      given.storageAccount ?? shortened("storageAccount", `st${prefix.replaceAll("-", "")}`, suffix),
      "storage account"
    ),
    keyVault: checkName(
      "keyVault",
      given.keyVault ?? shortened("keyVault", `kv-${prefix}`, `-${suffix}`),
      "Key Vault"
    ),
    sqlServer: checkName("sqlServer", given.sqlServer ?? `sql-${prefix}-${suffix}`, "SQL server"),
    database: platform.database?.name ?? application
  };
}
function shortened(kind, name, suffix) {
  return name.slice(0, RULES[kind].maximum - suffix.length).replace(/-$/, "") + suffix;
}
function digest(text2) {
  return createHash2("sha256").update(text2).digest("hex").slice(0, 5);
}
var DIGEST_IN_NAME = new RegExp(`/([0-9a-f]{64})${ANY_ARCHIVE_EXTENSION}$`);
function virtualMachineName(scope, server) {
  checkName("windowsComputer", server, "server");
  return checkName("virtualMachine", `vm-${azureNames(scope).prefix}-${server}`, "virtual machine");
}
var SUBNET_NUMBERS = { web: 1, proxy: 2, operations: 3, endpoints: 4, bastion: 5 };
var FIRST_HOST = 11;
function privateAddress({ platform }, role, index) {
  const network = platform.addressSpace.split(".").slice(0, 2).join(".");
  return `${network}.${SUBNET_NUMBERS[role]}.${FIRST_HOST + index}`;
}

// configuration/azure/azure-platform.ts
var GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
var Guid = matches(GUID, "GUID (lower case)");
var SSH_KEY = /^(ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{40,1400}={0,3}( [A-Za-z0-9@._+-]{1,100})?$/;
var ADDRESS_SPACE = /^(10\.(1?\d?\d|2[0-4]\d|25[0-5])|172\.(1[6-9]|2\d|3[01])|192\.168|127\.([1-9]|1?\d\d|2[0-4]\d|25[0-5]))\.0\.0\/16$/;
var CIDR = /^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)(\/([0-9]|[12]\d|3[0-2]))?$/;
var SIZE = /^(Standard|Basic)_[A-Za-z0-9_-]{1,60}$/;
var VAULT_OBJECT = /^[A-Za-z0-9-]{1,127}$/;
var ENVIRONMENT_VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_.:-]{0,99}$/;
var RELATIVE_PATH = /^(?!.*(^|\/)\.{1,2}(\/|$))[A-Za-z0-9._-][A-Za-z0-9 ._/-]{0,199}$/;
var TYPE_NAME = /^[A-Za-z_][A-Za-z0-9_.]{0,199}(, ?[A-Za-z_][A-Za-z0-9_.]{0,199})?$/;
var Zone = _enum(["1", "2", "3"]);
var Size = matches(SIZE, `size of a virtual machine, as in "Standard_D2as_v5"`);
var Image = strictObject({
  publisher: matches(/^[A-Za-z0-9._-]{1,80}$/, "publisher of an image"),
  offer: matches(/^[A-Za-z0-9._-]{1,80}$/, "offer of an image"),
  sku: matches(/^[A-Za-z0-9._-]{1,80}$/, "SKU of an image"),
  /** @default "latest": a newer image does not replace existing servers */
  version: _default(matches(/^(latest|[0-9.]{1,40})$/, "version of an image"), "latest")
});
var WebServers = strictObject({
  /** `windows`: IIS. `linux`: systemd. */
  os: _enum(["windows", "linux"]),
  /** @default "Standard_D2as_v5" */
  size: _default(Size, "Standard_D2as_v5"),
  /** The servers are spread over these availability zones; empty if the region has none. @default ["1", "2"] */
  zones: _default(array(Zone).check(_maxLength(3)), ["1", "2"]),
  /** @default Windows Server 2022 Azure Edition, or Ubuntu 24.04 LTS */
  image: optional(Image),
  /** The blue slot's port; side by side, the green slot has the next one. @default 8080 */
  port: _default(int().check(_gte(1024), _lte(65534)), 8080),
  /** Linux: Debian packages that the application needs, such as its runtime. @default [] */
  packages: _default(
    array(matches(/^[a-z0-9][a-z0-9.+-]{1,60}$/, "name of a Debian package")).check(_maxLength(50)),
    []
  )
});
var Page = strictObject({
  path: matches(HTTP_PATH, "HTTP path"),
  /** @default 200 */
  status: _default(int().check(_gte(200), _lte(599)), 200),
  /** Text that the answer must contain. @default - any answer */
  contains: optional(string2().check(_minLength(1), _maxLength(200)))
});
var Iis = strictObject({
  /** Files that an artifact must contain; otherwise it is refused before any server is changed. @default ["Web.config"] */
  requiredFiles: _default(
    array(matches(RELATIVE_PATH, "path inside the artifact")).check(_maxLength(50)),
    ["Web.config"]
  ),
  /** A connection string of Web.config, and the Key Vault secret that holds it. @default - Web.config is not changed */
  connectionString: optional(
    strictObject({
      name: matches(/^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/, "name of a connection string"),
      secret: matches(VAULT_OBJECT, "name of a Key Vault secret")
    })
  ),
  /** The secret with one machine key for all servers, slots and releases: `{"validationKey", "decryptionKey"}`. @default - Web.config is not changed */
  machineKeySecret: optional(matches(VAULT_OBJECT, "name of a Key Vault secret")),
  /** The Entity Framework context whose database initializer is disabled. @default - Web.config is not changed */
  disableInitializer: optional(matches(TYPE_NAME, `type name, as in "Shop.Data.ShopContext, Shop.Data"`)),
  /** Accepts a release whose initializer may drop the database. @default false */
  allowDestructiveInitializer: _default(boolean2(), false),
  /** Folders that all releases on a server share, such as uploads. Not shared between servers. @default [] */
  sharedFolders: _default(
    array(matches(RELATIVE_PATH, "folder inside the site")).check(_maxLength(20)),
    []
  ),
  /** Values of appSettings. No secrets. @default {} */
  appSettings: _default(
    record(matches(ENVIRONMENT_VARIABLE_NAME, "name of a setting"), string2().check(_maxLength(1e3))),
    {}
  ),
  /** Requested on each server before its release counts as healthy. @default [] */
  warmUp: _default(array(Page).check(_maxLength(20)), [])
});
var ProxyServers = strictObject({
  /** @default "Standard_B2s" */
  size: _default(Size, "Standard_B2s"),
  /** @default ["1", "2"] */
  zones: _default(array(Zone).check(_maxLength(3)), ["1", "2"]),
  /** Who may reach the site. @default ["0.0.0.0/0"] */
  allowedSources: _default(array(matches(CIDR, "IPv4 range")).check(_minLength(1), _maxLength(100)), [
    "0.0.0.0/0"
  ])
});
var Database = strictObject({
  /** @default the application's name */
  name: optional(
    matches(
      /^(?!(master|model|msdb|tempdb)$)[A-Za-z0-9_-]{1,128}$/i,
      "database name: letters, digits, _ and -, at most 128, none of SQL Server's own"
    )
  ),
  /** Service objective, as in S1 or GP_Gen5_2. Not serverless: after a pause, the first request fails. @default "S1" */
  sku: _default(
    matches(
      /^(Basic|S(0|1|2|3|4|6|7|9|12)|P(1|2|4|6|11|15)|(GP|BC|HS)_[A-Za-z0-9]{2,10}_\d{1,3})$/,
      `service objective without auto-pause, as in "S1" or "GP_Gen5_2"`
    ),
    "S1"
  ),
  /** @default 50 */
  maxSizeGb: _default(int().check(_gte(1), _lte(4096)), 50),
  /** Changing it replaces the database. @default "SQL_Latin1_General_CP1_CI_AS" */
  collation: _default(matches(/^[A-Za-z0-9_]{1,100}$/, "collation"), "SQL_Latin1_General_CP1_CI_AS"),
  /** How many days back point-in-time restore works. @default 14 */
  backupDays: _default(int().check(_gte(1), _lte(35)), 14),
  /** The Entra group that administers the SQL server; the identity that runs migrations must be a member. */
  administrators: strictObject({
    group: matches(/^[\p{L}\p{N} ._@-]{1,100}$/u, "name of an Entra group"),
    objectId: Guid
  }),
  /**
   * `entra`: no passwords. `sql`: SQL logins too, for applications that support nothing else (unmodified SocialGoal). The
   * administrator's password is write-only: TF_VAR_sql_administrator_password. @default "entra"
   */
  authentication: _default(_enum(["entra", "sql"]), "entra"),
  /**
   * `sql` only: the Key Vault secret with the address and login for migrations, as in
   * `mssql://user:password@server.database.windows.net/database`. @default "migration-database-url"
   */
  migrationSecret: _default(matches(/^[0-9A-Za-z-]{1,127}$/, "secret's name"), "migration-database-url"),
  /** `sql` only: raise it to set a new password. @default 1 */
  passwordVersion: _default(int().check(_gte(1)), 1)
});
var Names = strictObject({
  resourceGroup: optional(string2()),
  storageAccount: optional(string2()),
  keyVault: optional(string2()),
  sqlServer: optional(string2())
});
var AzurePlatform = strictObject({
  kind: literal("azure"),
  subscriptionId: Guid,
  tenantId: Guid,
  /** The region's name, as in "westeurope". */
  location: matches(/^[a-z][a-z0-9]{2,30}$/, `region, as in "westeurope"`),
  /** Four to eight characters for names that must be unique in all of Azure. @default - from subscription, application and environment */
  suffix: optional(matches(/^[a-z0-9]{4,8}$/, "suffix: 4 to 8 of a-z and 0-9")),
  /** Names of existing resources. @default - derived from application and environment */
  names: _default(Names, {}),
  /** x.y.0.0/16; the servers' addresses are derived from it. @default "10.20.0.0/16" */
  addressSpace: _default(
    matches(ADDRESS_SPACE, "private address space of the form x.y.0.0/16"),
    "10.20.0.0/16"
  ),
  /** The administrator of all machines, reached through Bastion. @default "bluegreen" */
  administrator: _default(
    matches(
      /^(?!(admin|administrator|root|user|guest|test|sql|support|backup|console|owner|sys|server)$)[a-z][a-z0-9]{1,19}$/,
      "administrator's name: 2 to 20 of a-z and 0-9, none that Azure reserves"
    ),
    "bluegreen"
  ),
  /** The administrator's public key on the Linux machines. */
  sshPublicKey: matches(SSH_KEY, `SSH public key in one line, as in "ssh-ed25519 AAAA..."`).check(
    refine(matchesItsType, {
      error: () => "the key is cut off or damaged: copy the whole line of the .pub file"
    })
  ),
  webServers: WebServers,
  iis: optional(Iis),
  proxyServers: _default(ProxyServers, parse(ProxyServers, {})),
  /** The site's public name. @default - none: no availability test, and the address is the load balancer's */
  domain: optional(
    matches(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}$/, "domain name, as in shop.example.com")
  ),
  /** The certificate's name in the environment's Key Vault. @default - plain HTTP, with a warning */
  tlsCertificate: optional(matches(VAULT_OBJECT, "name of a Key Vault certificate")),
  /** Access to the machines, none of which has a public address. `Standard` adds native clients. @default "Basic" */
  bastion: _default(_enum(["none", "Basic", "Standard"]), "Basic"),
  /** Azure SQL. @default - no database */
  database: optional(Database),
  /** Where alerts go. @default - no alerts, no availability test */
  alertEmails: _default(
    array(matches(/^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,190}$/, "e-mail address")).check(_maxLength(20)),
    []
  ),
  /** Object ids of identities that may publish artifacts, such as the pipeline's. @default [] */
  publishers: _default(array(Guid).check(_maxLength(20)), []),
  /** When the two halves of the servers may restart for updates: blue's half on the first day, green's on the second. */
  patching: _default(
    strictObject({
      /** @default ["Tuesday", "Thursday"] */
      days: _default(
        tuple([Weekday(), Weekday()]).check(refine(([one, other]) => one !== other, { error: () => "two different days" })),
        ["Tuesday", "Thursday"]
      ),
      /** Local time of `timeZone`. @default "02:00" */
      start: _default(matches(/^([01]\d|2[0-3]):[0-5]\d$/, "time of day, as in 02:00"), "02:00"),
      /** A Windows time zone's name. @default "UTC" */
      timeZone: _default(matches(/^[A-Za-z][A-Za-z0-9 .()+-]{1,60}$/, "Windows time zone"), "UTC")
    }),
    { days: ["Tuesday", "Thursday"], start: "02:00", timeZone: "UTC" }
  ),
  /** Protects resources with data from being destroyed: `prevent_destroy` and locks. @default true */
  protect: _default(boolean2(), true),
  /** Tags on all resources, besides application and environment. @default {} */
  tags: _default(
    record(matches(/^[^<>%&\\?/\u0000-\u001f]{1,128}$/, "tag name"), string2().check(_maxLength(256))),
    {}
  )
});
function matchesItsType(line) {
  const [kind = "", key = ""] = line.split(" ");
  const bytes = Buffer.from(key, "base64");
  if (bytes.length < 4 + kind.length) return false;
  return bytes.readUInt32BE(0) === kind.length && bytes.toString("latin1", 4, 4 + kind.length) === kind;
}
function Weekday() {
  return _enum(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]);
}

// configuration/backend.ts
var WORKSPACE_PART = /^[A-Za-z0-9_-]{1,60}$/;
var Backend = discriminatedUnion(
  "kind",
  [
    /** A file below the environment's folder, on this machine. */
    strictObject({ kind: literal("local") }),
    /** A blob per stack, accessed with the caller's Entra identity. The storage account must exist. */
    strictObject({
      kind: literal("azurerm"),
      resourceGroup: matches(/^[\w().-]{1,90}$/, "name of a resource group"),
      storageAccount: matches(/^[a-z0-9]{3,24}$/, "name of a storage account: 3 to 24 of a-z and 0-9"),
      container: matches(/^[a-z0-9](-?[a-z0-9]){2,62}$/, "name of a container")
    }),
    /** Terraform Cloud: the workspaces `<application>-<environment>-base` and `-web`. */
    strictObject({
      kind: literal("cloud"),
      organization: matches(WORKSPACE_PART, "name of an organization"),
      project: optional(matches(/^[\p{L}\p{N} _-]{3,40}$/u, "name of a project"))
    })
  ],
  { error: () => `must be "local", "azurerm" or "cloud"` }
);

// configuration/drivers.ts
var DRIVERS = ["haproxy", "nginx", "embedded"];
var DRIVER_NAMES = [...DRIVERS, "command"];
var DriverCommand = strictObject({
  /**
   * The program and its arguments, without a shell. A relative path starts at the proxy's folder; a bare name is searched
   * on PATH.
   */
  program: Program,
  /** Time limit of one operation, after which it is ended and has failed. @default 10 */
  timeoutSeconds: _default(int().check(_gte(1), _lte(60)), 10),
  /** Whether it supports the mode "hold": requests wait during a recreate. @default false: users get a page */
  holds: _default(boolean2(), false)
});

// release/freeze-windows.ts
var DAY_MINUTES = 24 * 60;
var WEEK_MINUTES = 7 * DAY_MINUTES;
var WEEKLY = /^(Sun|Mon|Tue|Wed|Thu|Fri|Sat) ([01]\d|2[0-3]):([0-5]\d)$/;
var WeekTime = string2().check(_regex(WEEKLY, `is not a time of the week, as in "Fri 15:00"`));
var Moment = iso_exports.datetime({
  offset: true,
  error: () => `is not a time with an offset, as in "2026-12-20T18:00:00+01:00"`
});
var Reason = string2().check(_minLength(1), _maxLength(200));
var TimeZone = string2().check(refine(isTimeZone, { error: () => `is not a known time zone, as in "Europe/Berlin"` }));
var FreezeWindow = union(
  [
    strictObject({
      /** Shown when an action is refused. */
      reason: Reason,
      /** Every week, from one day and time to another, possibly in the next week. */
      weekly: strictObject({ from: WeekTime, to: WeekTime }),
      /** The zone of `from` and `to`. @default "UTC" */
      timeZone: _default(TimeZone, "UTC")
    }),
    strictObject({ reason: Reason, from: Moment, to: Moment })
  ],
  {
    error: () => `must have "reason" and either "weekly": { "from": "Fri 15:00", "to": "Mon 06:00" } (and "timeZone"), or "from" and "to" as times with an offset`
  }
);
function isTimeZone(name) {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

// release/record.ts
import { createHash as createHash3 } from "node:crypto";

// release/release.ts
var VERSION_PATTERN = /^[0-9A-Za-z](?:[0-9A-Za-z.-]{0,38}[0-9A-Za-z])?$/;
var ARTIFACT_URL = /^(https:\/\/[0-9A-Za-z.-]+|http:\/\/(127\.0\.0\.1|localhost|\[::1\])|file:\/\/(?=\/))(:[0-9]+)?([/?][\]!#-&(-;=?-Z[_a-z~]*)?$/;
var Version = string2().check(
  refine((version2) => VERSION_PATTERN.test(version2) && !version2.includes(".."), {
    error: (issue2) => `${quote(issue2.input)} is not a valid version: 1 to 40 of the characters 0-9 A-Z a-z . - (Azure names can't contain the "+" of a build)`
  })
);
var Artifact = strictObject({
  url: string2().check(
    refine(isArtifactUrl, {
      error: (issue2) => `${quote(withoutCredentials(issue2.input))} is not an artifact address: https://..., file:///..., or http:// on the loopback address`
    })
  ),
  sha256: Sha256
});
var ScriptName = string2().check(_regex(/^[0-9]{1,6}(?![0-9])[0-9A-Za-z._-]{0,100}\.sql$/));
var Migrations = strictObject({ ...Artifact.shape, newest: ScriptName });
var Release = strictObject({
  version: Version,
  /** The sequence number of the record that installed it. */
  run: int().check(_gte(1)),
  artifact: Artifact,
  /** The migrations that the database must have before the release is installed. @default none */
  migrations: optional(Migrations),
  /**
   * The contract migrations in its bundle. By listing one, the release declares that it works without what the script removes.
   * @default none
   */
  contracts: optional(array(ScriptName))
});
function releaseId(release) {
  return `${release.version}-${release.run}`;
}
function withoutCredentials(input) {
  return typeof input === "string" ? input.replace(/\/\/[^/]*@/, "//***@") : input;
}
function isArtifactUrl(text2) {
  if (text2.length > 2e3 || !ARTIFACT_URL.test(text2) || !URL.canParse(text2)) return false;
  const { protocol, pathname } = new URL(text2);
  return protocol !== "file:" || !/%(?![0-9a-f]{2})|%(00|2f)/i.test(pathname);
}

// release/resolution.ts
var RESOLUTIONS = ["applied", "pending"];
var Resolution = strictObject({ script: ScriptName, as: _enum(RESOLUTIONS) });
var Resolutions = array(Resolution).check(
  _minLength(1),
  refine((all) => new Set(all.map(({ script }) => script)).size === all.length, {
    error: () => "must have one answer per script"
  })
);

// release/former-names.ts
function readsFormerValues(schema, values) {
  return pipe(
    transform(
      (input) => typeof input === "string" && Object.hasOwn(values, input) ? values[input] : input
    ),
    schema
  );
}

// release/validation.ts
var NAMED_KEYS = 3;
function parseFile(schema, text2, file) {
  const parsed = safeParse(schema, parseJson(text2, file));
  if (!parsed.success) throw new InvalidInput(`${file}: ${describeIssues(parsed.error)}`);
  return parsed.data;
}
function parseJson(text2, file) {
  try {
    return JSON.parse(text2);
  } catch (error) {
    throw new InvalidInput(`${file} is not JSON: ${inOneLine(error.message)}`);
  }
}
function describeIssues(error) {
  const lines = error.issues.flatMap((issue2) => describeIssue(issue2, []));
  const [first, ...rest] = lines;
  return rest.length === 0 ? `${first}` : `${first} (and ${rest.length} more)`;
}
function printable(key) {
  return typeof key === "string" && !/^[\x20-\x7e]{0,60}$/.test(key) ? quote(key) : String(key);
}
function describeIssue(issue2, above) {
  const path = [...above, ...issue2.path];
  const field = path.length === 0 ? "the whole" : path.map(printable).join(".");
  switch (issue2.code) {
    case "unrecognized_keys":
      return [
        `${path.length === 0 ? "" : `${field}: `}unknown field ${issue2.keys.slice(0, NAMED_KEYS).map(quote).join(", ")}${issue2.keys.length > NAMED_KEYS ? ` and ${issue2.keys.length - NAMED_KEYS} more` : ""}`
      ];
    case "invalid_value":
      return [`${field} must be ${issue2.values.map((value) => JSON.stringify(value)).join(" or ")}`];
    case "invalid_type":
      return [
        `${field} must be ${issue2.expected === "int" ? "a whole number" : `of type ${issue2.expected}`}`
      ];
    case "too_small":
      return [`${field} must ${amount(issue2.origin, "at least", issue2.minimum)}`];
    case "too_big":
      return [`${field} must ${amount(issue2.origin, "at most", issue2.maximum)}`];
    default:
      return [issue2.message ? `${field}: ${issue2.message}` : `${field} is not valid`];
  }
}
function amount(origin, bound, limit) {
  if (origin === "string") return `have ${bound} ${limit} characters`;
  if (origin === "array") return `have ${bound} ${limit} entries`;
  return `be ${bound} ${limit}`;
}

// release/schedule.ts
var TOPOLOGIES = ["split", "sideBySide"];
var Topology = _enum(TOPOLOGIES);
var seconds2 = (limit) => number2().check(_gte(0), _lte(limit));
var Steps = array(int().check(_gte(1), _lte(100))).check(
  refine((steps) => steps.every((step, index) => index === 0 || step > steps[index - 1]), {
    error: () => `"steps" must increase, as in [5, 25, 50, 100]`
  }),
  refine((steps) => steps.at(-1) === 100, { error: () => `"steps" must end with 100` })
);
var Analysis = strictObject({
  /** The length of the windows that are judged. A candidate that turns bad is rolled back within two. @default 5 */
  intervalSeconds: number2().check(_gte(0.1), _lte(3600)),
  /**
   * Fewer answers than this prove nothing. If users send fewer requests, the director sends synthetic ones, so a step also
   * ends on a quiet site, and never without data. @default 20
   */
  minimumRequests: int().check(_gte(1), _lte(1e5)),
  /** The candidate's ratio of failed requests (5xx or no answer) may exceed stable's by this. From 0 to 1. @default 0.02 */
  maxErrorRatio: number2().check(_gte(0), _lte(1)),
  /** The candidate's 95th percentile of latency may be this many times stable's. @default 2 */
  maxLatencyRatio: number2().check(_gte(1), _lte(1e3)),
  /** A latency that exceeds stable's by this many milliseconds or less is never a failure. @default 100 */
  latencySlackMs: number2().check(_gte(0), _lte(6e4))
});
var Schedule = strictObject({
  /** `recreate` replaces the active slot; the other two release to the idle one. */
  strategy: _enum(["blueGreen", "canary", "recreate"]),
  /** The candidate's weights, one after another, in per cent of the requests. */
  steps: Steps,
  /** How long each weight below 100 lasts. */
  stepSeconds: seconds2(86400),
  /** How long the candidate is watched at 100 % before it becomes stable. */
  bakeSeconds: seconds2(86400),
  /** How long running requests on a slot may take to finish after its last new request. */
  drainSeconds: seconds2(3600),
  /** What happens if the candidate fails under traffic: roll back to stable, or freeze until a person decides. */
  onFailure: _enum(["rollback", "freeze"]),
  /** The old slot is kept for an instant rollback, or gets the new release too (topology `split`). */
  afterPromotion: _enum(["retain", "converge"]),
  /** What users get while a site is recreated: requests wait, or a maintenance page (503 with Retry-After). */
  whileDown: readsFormerValues(_enum(["hold", "maintenancePage"]), { page: "maintenancePage" }),
  /** How long the old slot is kept for an instant rollback. Until then, only a release into it replaces it. */
  retainSeconds: seconds2(30 * 86400),
  analysis: Analysis
});
var DEFAULTS = {
  stepSeconds: 60,
  bakeSeconds: 60,
  drainSeconds: 30,
  onFailure: "rollback",
  afterPromotion: "retain",
  whileDown: "hold",
  retainSeconds: 0
};
var DEFAULT_ANALYSIS = {
  intervalSeconds: 5,
  minimumRequests: 20,
  maxErrorRatio: 0.02,
  maxLatencyRatio: 2,
  latencySlackMs: 100
};
var Strategy = {
  /** Verify the idle slot, then move all requests to it at once (or in `steps`). @default steps [100], bakeSeconds 60, drainSeconds 30 */
  blueGreen: (props = {}) => complete({ strategy: "blueGreen", steps: [100], ...props }),
  /** Move the requests in steps with a growing weight. @default steps [5, 25, 50, 100], stepSeconds 60 */
  canary: (props = {}) => complete({ strategy: "canary", steps: [5, 25, 50, 100], ...props }),
  /**
   * Replace the release in the active slot itself, for versions that must not run at the same time.
   * While the application stops and starts, users wait (`hold`) or get a page (`maintenancePage`).
   */
  recreate: (props = {}) => complete({ strategy: "recreate", steps: [100], ...props })
};
var ScheduleChoice = strictObject({
  ...partial2(Schedule).shape,
  strategy: Schedule.shape.strategy,
  analysis: optional(partial2(Analysis))
});
function resolveSchedule(choice) {
  const { strategy, ...props } = choice;
  const shifts = props.steps !== void 0 && props.steps.some((weight) => weight !== 100);
  if (strategy === "recreate" && (shifts || props.afterPromotion === "converge")) {
    throw new InvalidInput(
      `a recreate schedule can't have "steps" or "converge": it replaces the release in its slot, at once`
    );
  }
  return Strategy[strategy](props);
}
function complete(props) {
  const analysis = { ...DEFAULT_ANALYSIS, ...props.analysis };
  const parsed = safeParse(Schedule, { ...DEFAULTS, ...props, analysis });
  if (!parsed.success)
    throw new InvalidInput(`a ${props.strategy} schedule: ${describeIssues(parsed.error)}`);
  return parsed.data;
}
function parseSchedule(choice, where) {
  const parsed = safeParse(ScheduleChoice, choice);
  if (!parsed.success) throw new InvalidInput(`${where}: ${describeIssues(parsed.error)}`);
  return resolveSchedule(parsed.data);
}
function refuseConvergeSideBySide(schedule, topology, where) {
  if (schedule.afterPromotion === "converge" && topology !== "split") {
    throw new InvalidInput(
      `${where}: afterPromotion "converge" needs topology "split", this one is "${topology}"`
    );
  }
}

// release/record.ts
var RECORD_FORMAT = 1;
var Goal = union(
  [literal("staged"), int().check(_gte(1), _lte(99)), literal("live")],
  {
    error: () => `must be "staged", a whole number from 1 to 99, or "live"`
  }
);
var ServerName = string2().check(_regex(/^[a-z0-9-]{1,40}$/));
var Ban = strictObject({
  version: Version,
  reason: string2().check(_minLength(1), _maxLength(500)),
  /** Who banned it; `at` is when. */
  by: string2().check(_maxLength(200)),
  at: iso_exports.datetime()
});
var ReleaseRecord = strictObject({
  formatVersion: literal(RECORD_FORMAT),
  application: ApplicationName,
  /** Raised by one in every transition; the fence everywhere. 0: nothing was released yet. */
  sequence: int().check(_gte(0)),
  /** The slot that will be live once this record is applied and its goal is "live". */
  active: _enum(SLOTS),
  goal: Goal,
  slots: strictObject({ blue: nullable(Release), green: nullable(Release) }),
  /** The stable release before the one in the active slot: the target of a rollback. */
  previous: nullable(Release),
  /** After promotion the idle slot's servers get the active release too, and both slots serve. */
  converge: optional(boolean2()),
  /** Accept an artifact again that was aborted or rolled back in an earlier sequence. */
  retry: optional(boolean2()),
  /** For this sequence only. @default the environment's */
  schedule: optional(ScheduleChoice),
  /**
   * The sequence that last healed a server, because base had replaced or added it. It matters while it is greater than
   * the run of a slot's release.
   */
  heals: optional(record(ServerName, int().check(_gte(1)))),
  /** Contract migrations that have run, or run in this sequence. No release that needs the old schema may get traffic again. */
  contracted: optional(array(ScriptName)),
  /**
   * This sequence has new migrations. Otherwise, if the target has migrations, the migrate step only checks that the
   * database has all of them.
   */
  migrate: optional(boolean2()),
  /**
   * With `migrate`, for this sequence only: the real status of scripts without a transaction that did not finish. The
   * journal is corrected before the migration is planned.
   */
  resolve: optional(Resolutions),
  /**
   * Versions that every transition refuses. A ban does not change what runs: it takes no sequence and plans nothing.
   * @default none
   */
  banned: optional(array(Ban))
});
function emptyRecord(application) {
  return {
    formatVersion: RECORD_FORMAT,
    application,
    sequence: 0,
    active: "blue",
    goal: "live",
    slots: { blue: null, green: null },
    previous: null
  };
}
function recordDigest(record2) {
  const { formatVersion, application, sequence, active, goal, slots, previous, converge, retry } = record2;
  const facts = [formatVersion, application, sequence, active, goal, facet(slots.blue), facet(slots.green)];
  const heals = Object.entries(record2.heals ?? {}).sort(([one], [other]) => one < other ? -1 : 1);
  const all = [
    ...facts,
    facet(previous),
    converge ?? false,
    retry ?? false,
    ...heals.length > 0 ? [heals] : [],
    ...record2.contracted === void 0 ? [] : [{ contracted: record2.contracted }],
    ...record2.migrate === true ? [{ migrate: true }] : [],
    ...record2.resolve === void 0 ? [] : [{ resolve: record2.resolve.map(({ script, as }) => [script, as]) }]
  ];
  return createHash3("sha256").update(JSON.stringify(all)).digest("hex");
}
function scheduleOf(record2, environment) {
  return record2.schedule === void 0 ? environment.schedule : resolveSchedule(record2.schedule);
}
function healedServers({ heals = {}, sequence }) {
  return Object.keys(heals).filter((server) => heals[server] === sequence).sort();
}
function touchedSlots(record2) {
  if (healedServers(record2).length > 0) return [];
  return SLOTS.filter((slot) => record2.slots[slot] === null || record2.slots[slot].run === record2.sequence);
}
function facet(release) {
  if (release === null) return null;
  const { version: version2, run, artifact, contracts, migrations } = release;
  const { url, sha256, newest } = migrations ?? {};
  return [
    ...[version2, run, artifact.url, artifact.sha256],
    ...contracts === void 0 ? [] : [contracts],
    ...migrations === void 0 ? [] : [{ migrations: [url, sha256, newest] }]
  ];
}

// release/hooks.ts
var STEP_KINDS = ["begin", "migrate", "install", "switch", "converge", "share"];
var WHENS = ["release", ...STEP_KINDS].flatMap((phase) => [
  `before ${phase}`,
  `after ${phase}`
]);
var WHILE_USERS_WAIT = ["before migrate", "before install", "before switch"];
var STRATEGIES = ["blueGreen", "canary", "recreate"];
var FROM_ENVIRONMENT = /^env:[A-Za-z_][A-Za-z0-9_]{0,100}$/;
var WEBHOOK = /^(https:\/\/[0-9A-Za-z.-]+|http:\/\/(127\.0\.0\.1|localhost|\[::1\]))(:[0-9]+)?([/?][\]!#-&(-;=?-Z[_a-z~]*)?$/;
var CURL_HEADERS = ["content-type", "content-length", "transfer-encoding", "expect"];
var Argument2 = string2().check(
  _maxLength(8e3),
  refine((text2) => !text2.includes("\0"), { error: () => "must not contain NUL" })
);
var HeaderValue2 = string2().check(
  _maxLength(1e3),
  refine((text2) => /^[\x20-\x7e]*$/.test(text2), { error: () => "printable ASCII only" }),
  refine((text2) => !text2.startsWith("env:") || FROM_ENVIRONMENT.test(text2), {
    error: (issue2) => `${quote(issue2.input)} is not the name of an environment variable, as in "env:CHAT_TOKEN"`
  })
);
var HookDefinition = strictObject({
  when: custom((text2) => WHENS.includes(text2), {
    error: () => `must be "before" or "after", and ${STEP_KINDS.join(", ")} or release, as in "before switch"`
  }),
  /** Its name in messages. @default its number among the hooks of the same moment */
  name: optional(
    string2().check(
      refine((text2) => /^[a-z][a-z0-9-]{0,29}$/.test(text2), {
        error: (issue2) => `${quote(issue2.input)} is not a valid hook name: a-z, 0-9 and -, at most 30 characters`
      })
    )
  ),
  /** A program and its arguments, started in the project's folder without a shell. The facts are on stdin as JSON. */
  command: optional(
    array(Argument2).check(
      _minLength(1),
      _maxLength(100),
      refine(([program]) => program === void 0 || /^[^-]/.test(program), {
        error: () => `must start with a program, whose name has no leading "-"`
      })
    )
  ),
  /** Gets one POST with the facts as JSON body; any 2xx is success. Or "env:NAME". */
  webhook: optional(
    string2().check(
      _maxLength(2e3),
      refine((text2) => FROM_ENVIRONMENT.test(text2) || WEBHOOK.test(text2), {
        error: () => `must be https://..., http:// on the loopback address, or "env:NAME"`
      })
    )
  ),
  /** Headers of the webhook's request. @default none */
  headers: optional(
    record(string2().check(_regex(HEADER_NAME, "is not a valid header name")), HeaderValue2)
  ),
  /** After this time the hook and its child processes are killed, and it counts as failed. @default 60 */
  timeoutSeconds: _default(int().check(_gte(1), _lte(86400)), 60),
  /** It only runs in sequences with these strategies. @default all */
  strategies: optional(array(_enum(STRATEGIES)).check(_minLength(1)))
});
var Hooks = array(HookDefinition).check(_maxLength(50));
function hooksAt({ hooks = [] }, when) {
  const all = hooks.filter((hook) => hook.when === when);
  return all.map((hook, index) => ({ ...hook, name: hook.name ?? String(index + 1), position: index + 1 }));
}
function refuseHooks(environment) {
  const { hooks = [], platform, topology } = environment;
  hooks.forEach(({ command, webhook, headers = {} }, index) => {
    const field = `hooks.${index}`;
    if (command === void 0 === (webhook === void 0)) {
      throw new InvalidInput(`${field} must have either a "command" or a "webhook"`);
    }
    if (webhook === void 0 && Object.keys(headers).length > 0) {
      throw new InvalidInput(`${field}.headers are only for a webhook, this is a command`);
    }
    const reserved = Object.keys(headers).find((name) => CURL_HEADERS.includes(name.toLowerCase()));
    if (reserved !== void 0)
      throw new InvalidInput(`${field}.headers: ${quote(reserved)} is set for the JSON body, leave it out`);
  });
  for (const when of WHENS) {
    const [hook] = hooksAt(environment, when);
    if (hook === void 0) continue;
    const { name } = hook;
    if (when.endsWith(" migrate") && platform.database === void 0) {
      throw new InvalidInput(`hook "${name}" ${when} would never run: there is no platform.database`);
    }
    if (/ (converge|share)$/.test(when) && topology !== "split") {
      throw new InvalidInput(
        `hook "${name}" ${when} would never run: topology "${topology}" has no such phase`
      );
    }
  }
}
function refuseHooksInRecreate(environment, { strategy }) {
  if (strategy !== "recreate") return;
  for (const when of WHILE_USERS_WAIT) {
    const hook = hooksAt(environment, when).find((each) => appliesTo(each, strategy));
    if (hook === void 0) continue;
    throw new InvalidInput(
      `hook "${hook.name}" ${when} can't stop a recreate, because users already wait by then: run it "before begin", or set "strategies": ["blueGreen", "canary"] if it is not for a recreate`
    );
  }
}
function appliesTo({ strategies }, strategy) {
  return strategies === void 0 || strategies.includes(strategy);
}

// configuration/measurement.ts
var Measurement = strictObject({
  /** The address for users. @default the first proxy on this machine; on Azure, `platform.domain` */
  origin: optional(
    string2().check(
      _maxLength(300),
      refine(isOrigin, {
        error: () => "must be scheme, host and port only, as in https://www.example.com"
      })
    )
  ),
  /** GETs per second; 0: nothing is measured. @default 10 */
  rate: _default(number2().check(_gte(0), _lte(1e3)), 10),
  /** Requested in turn. Paths other than the verification's must answer 200. @default the verification's */
  paths: optional(array(matches(HTTP_PATH, "HTTP path")).check(_minLength(1), _maxLength(50)))
});

// release/migrations/database-address.ts
var DIALECTS = ["postgres", "mssql"];
var SERVER_VARIABLE = { postgres: "PG_URL", mssql: "MSSQL_URL" };
var NO_SQL_SERVER = `the environment's database is a SQL Server, and ${SERVER_VARIABLE.mssql} is not set: set it to an address as in mssql://user:password@host:port, outside the repository`;

// configuration/preview.ts
var hexadecimal = (digits) => string2().check(
  refine((text2) => new RegExp(`^[0-9a-f]{${digits}}$`).test(text2), {
    error: () => `must be ${digits} lower-case hexadecimal digits`
  })
);
var Preview = strictObject({
  /** SHA-256 of the secret, which should be 128 random bits or more. */
  sha256: hexadecimal(64),
  /** MD5 of the same secret, for NGINX only. */
  md5: optional(hexadecimal(32))
});

// configuration/environment.ts
var MOST_SERVERS = 200;
var Proxies = strictObject({
  /** How the director controls the proxy; see docs. @default "haproxy" */
  driver: _default(_enum(DRIVERS), "haproxy"),
  /** @default 1 */
  count: _default(int().check(_gte(1), _lte(8)), 1),
  /** Limits of users' requests, balancers in front, host names. @default see each field */
  http: _default(HttpSettings, DEFAULT_HTTP_SETTINGS)
});
var LocalPlatform = strictObject({
  kind: literal("local"),
  /** The folder for servers and Terraform's state, relative to the project. @default ".bluegreen/<name>" */
  folder: optional(matches(FOLDER, "folder below the project")),
  /** The first proxy's port; the other proxies get the next ones. Slots start 100 above. @default 18080 */
  portBase: _default(int().check(_gte(1024), _lte(65e3)), 18080),
  /**
   * A database that all releases share. `postgres`: a new server on this machine, or the server in PG_URL. `mssql`: the
   * SQL Server in MSSQL_URL. @default none
   */
  database: optional(_enum(DIALECTS))
});
var EnvironmentFile = strictObject({
  formatVersion: literal(1),
  application: ApplicationName,
  name: EnvironmentName,
  /** The record of this environment, relative to the project. */
  record: matches(FOLDER, "path below the project"),
  platform: discriminatedUnion("kind", [LocalPlatform, AzurePlatform], {
    error: () => `must be "local" or "azure"`
  }),
  /** @default local: two files in the environment's folder */
  backend: _default(Backend, { kind: "local" }),
  topology: Topology,
  servers: strictObject({ count: int().check(_gte(1), _lte(MOST_SERVERS)) }),
  proxies: _default(Proxies, parse(Proxies, {})),
  /** The command that starts an instance, as a list of arguments. Runs in the release's folder with HOST and PORT set. Not for IIS. */
  start: optional(Program),
  verification: _default(Verification, parse(Verification, {})),
  /** @default instances are not notified */
  activation: optional(Activation),
  /** @default no preview */
  preview: optional(Preview),
  /** Synthetic requests while a sequence runs. @default verification's request, 10 times a second */
  measurement: _default(Measurement, parse(Measurement, {})),
  /** Commands and webhooks before and after the phases of a release, in the order in which they run. @default none */
  hooks: optional(Hooks),
  /** How releases get their traffic, unless the record has a schedule. @default blue/green, all at once */
  schedule: _default(ScheduleChoice, { strategy: "blueGreen" }),
  /** Times without releases. @default none */
  freezeWindows: _default(array(FreezeWindow).check(_maxLength(50)), []),
  /** The folder for receipts, relative to the project. To share them, use a folder in git. @default "receipts" in the environment's folder */
  receipts: optional(matches(FOLDER, "folder below the project")),
  /** Releases kept on disk besides those in use. @default 5 */
  keepReleases: _default(int().check(_gte(2), _lte(50)), 5),
  /** How long an instance may take to finish its requests when it is stopped. @default 30 */
  stopSeconds: _default(wholeSeconds(1, 600), 30)
});

// configuration/platform.ts
function isCustom(environment) {
  return environment.platform.kind === "custom";
}
function isLocal(environment) {
  return environment.platform.kind === "local";
}

// configuration/naming.ts
var CERTIFICATE_FILE = "tls/site.pem";
var LOOPBACK = "127.0.0.1";
var SLOT_PORT_OFFSET = 100;
var HTTP_PORT = 80;
var HTTPS_PORT = 443;
function serverPlaces(environment) {
  if (!("servers" in environment)) {
    return environment.platform.servers.map(({ name, ports }) => ({
      name,
      slots: SLOTS.filter((slot) => ports[slot] !== void 0)
    }));
  }
  const { count } = environment.servers;
  return range(count).map((index) => ({ name: `web-${index + 1}`, slots: slotsOn(environment, index) }));
}
function proxyPlaces(environment) {
  if (isCustom(environment)) {
    return environment.platform.proxies.map(({ tls = null, ...place2 }) => ({ ...place2, tls }));
  }
  const place = (index) => isLocal(environment) ? { host: LOOPBACK, port: environment.platform.portBase + index, tls: null } : {
    host: privateAddress(environment, "proxy", index),
    port: HTTP_PORT,
    tls: environment.platform.tlsCertificate === void 0 ? null : { port: HTTPS_PORT, certificate: CERTIFICATE_FILE }
  };
  return range(environment.proxies.count).map((index) => ({ name: `proxy-${index + 1}`, ...place(index) }));
}
function slotEndpoints(environment) {
  if (isCustom(environment)) {
    const endpoints2 = (slot) => environment.platform.servers.flatMap(
      ({ name, host, ports }) => ports[slot] === void 0 ? [] : [{ server: name, host, port: ports[slot] }]
    );
    return { blue: endpoints2("blue"), green: endpoints2("green") };
  }
  const places = serverPlaces(environment);
  const address = (index) => isLocal(environment) ? LOOPBACK : privateAddress(environment, "web", index);
  const endpoints = (slot) => places.flatMap(
    (place, index) => place.slots.includes(slot) ? [{ server: place.name, host: address(index), port: slotPort(environment, index, slot) }] : []
  );
  return { blue: endpoints("blue"), green: endpoints("green") };
}
var OPERATIONS_SERVER = "operations-1";
function slotsOn(environment, index) {
  if (environment.topology === "sideBySide") return SLOTS;
  return index % 2 === 0 ? ["blue"] : ["green"];
}
function slotPort(environment, serverIndex, slot) {
  const first = isLocal(environment) ? environment.platform.portBase + SLOT_PORT_OFFSET + 10 * serverIndex : environment.platform.webServers.port;
  return environment.topology === "sideBySide" && slot === "green" ? first + 1 : first;
}
function range(count) {
  return Array.from({ length: count }, (_, index) => index);
}

// configuration/environment-file.ts
var MOST_LOCAL_SERVERS = 20;
var START_IS_MISSING = `start must be the command that starts an instance, as in ["node", "server.js"]`;
function parseEnvironment(text2, file) {
  const data = parseFile(EnvironmentFile, text2, file);
  if (data.topology === "split" && data.servers.count < 2) {
    throw new InvalidInput(
      `${file}: topology "split" needs 2 servers or more, servers.count is ${data.servers.count}; one is enough for "sideBySide"`
    );
  }
  const schedule = parseSchedule(data.schedule, `${file}: schedule`);
  refuseConvergeSideBySide(schedule, data.topology, file);
  refusePreviewWithoutDigest(data, file);
  const { platform } = data;
  within(file, () => {
    refuseHooks(data);
    refuseHooksInRecreate(data, schedule);
  });
  if (platform.kind === "local") {
    if (data.servers.count > MOST_LOCAL_SERVERS) {
      throw new InvalidInput(
        `${file}: servers.count is ${data.servers.count}, but the local platform has ports for ${MOST_LOCAL_SERVERS}`
      );
    }
    if (data.start === void 0) throw new InvalidInput(`${file}: ${START_IS_MISSING}`);
    if (data.backend.kind !== "local") {
      throw new InvalidInput(
        `${file}: the servers are on this machine, so the state is too: leave out "backend"`
      );
    }
    const folder = platform.folder ?? `.bluegreen/${data.name}`;
    return { ...data, schedule, platform: { ...platform, folder } };
  }
  return within(file, () => resolveAzure({ ...data, schedule, platform }));
}
function within(file, resolve) {
  try {
    return resolve();
  } catch (error) {
    throw error instanceof InvalidInput ? new InvalidInput(`${file}: ${error.message}`) : error;
  }
}
function resolveAzure(environment) {
  const { platform, start, proxies, verification } = environment;
  if (proxies.driver !== "haproxy") {
    throw new InvalidInput(
      `proxies.driver "${proxies.driver}" is only for servers on one machine; Azure needs "haproxy"`
    );
  }
  const windows = platform.webServers.os === "windows";
  if (windows && start !== void 0) {
    throw new InvalidInput("start does not apply to IIS, which starts the application itself: leave it out");
  }
  if (!windows && start === void 0) throw new InvalidInput(START_IS_MISSING);
  if (!windows && platform.iis !== void 0) {
    throw new InvalidInput(`platform.iis is only for platform.webServers.os "windows", this one is "linux"`);
  }
  if (windows && platform.webServers.packages.length > 0) {
    throw new InvalidInput(`platform.webServers.packages are Debian packages, but the servers run Windows`);
  }
  const { domain } = platform;
  azureNames(environment);
  const servers = [...serverPlaces(environment), ...proxyPlaces(environment)].map(({ name }) => name);
  for (const server of [...servers, OPERATIONS_SERVER]) virtualMachineName(environment, server);
  return {
    ...environment,
    proxies: withHosts(proxies, domain),
    platform: windows ? { ...platform, iis: platform.iis ?? parse(Iis, {}) } : platform,
    // Verify with the same Host header that users send.
    verification: domain === void 0 ? verification : { host: domain, ...verification }
  };
}
function withHosts(proxies, domain) {
  if (domain === void 0 || proxies.http.hosts.length > 0) return proxies;
  return { ...proxies, http: { ...proxies.http, hosts: [domain.toLowerCase()] } };
}
function refusePreviewWithoutDigest({ preview, proxies }, file) {
  if (proxies.driver === "nginx" && preview !== void 0 && preview.md5 === void 0) {
    throw new InvalidInput(
      `${file}: preview.md5 is missing: NGINX can't compute any other digest (a secret of 128 random bits is as safe with it)`
    );
  }
}

// release/sequence.ts
var RecordedRelease = strictObject({
  /** A version of up to 40 characters, a hyphen, and a run. */
  releaseId: string2().check(_regex(/^[0-9A-Za-z][0-9A-Za-z.-]{0,56}$/)),
  sha256: Sha256,
  /** The contract migrations that it works after. */
  contracts: array(ScriptName)
});
var Sequence = strictObject({
  sequence: int().check(_gte(0)),
  recordDigest: Sha256,
  /** The slot that the record wants live. */
  target: _enum(SLOTS),
  goal: Goal,
  slots: strictObject({ blue: nullable(RecordedRelease), green: nullable(RecordedRelease) }),
  previous: nullable(RecordedRelease),
  /** Slots that this sequence installs into or empties. */
  touched: array(_enum(SLOTS)),
  /** Servers on which this sequence reinstalls the live (and retained) release. The slots' other servers keep their traffic. */
  healing: array(ServerName),
  converge: boolean2(),
  retry: boolean2(),
  /** Contract migrations that have run, or run in this sequence. */
  contracted: array(ScriptName)
});
function sequenceOf(record2) {
  const healing = healedServers(record2);
  return {
    sequence: record2.sequence,
    recordDigest: recordDigest(record2),
    target: record2.active,
    goal: record2.goal,
    slots: { blue: recorded(record2.slots.blue), green: recorded(record2.slots.green) },
    previous: recorded(record2.previous),
    touched: touchedSlots(record2),
    healing,
    // A heal does not repeat the convergence.
    converge: record2.converge === true && healing.length === 0,
    retry: record2.retry === true,
    contracted: record2.contracted ?? []
  };
}
function recorded(release) {
  if (release === null) return null;
  const { artifact, contracts = [] } = release;
  return { releaseId: releaseId(release), sha256: artifact.sha256, contracts };
}

// configuration/director-spec.ts
var SPEC_FORMAT = 1;
var Address = string2().check(_regex(/^[0-9A-Za-z:][0-9A-Za-z.:-]{0,99}$/));
var EndpointSpec = strictObject({
  server: ServerName,
  host: Address,
  port: Port
});
var DirectorSpec = strictObject({
  formatVersion: literal(SPEC_FORMAT),
  application: ApplicationName,
  environment: EnvironmentName,
  ...Sequence.shape,
  /**
   * The record itself, which the director stores for `bluegreen recover`. Only steps have it, not status calls or the setup
   * of a proxy, nor steps of version 0.1.0.
   */
  record: optional(record(string2(), unknown())),
  schedule: Schedule,
  verification: Verification,
  activation: nullable(Activation),
  preview: nullable(Preview),
  endpoints: strictObject({ blue: array(EndpointSpec), green: array(EndpointSpec) }),
  proxy: strictObject({
    driver: _enum(DRIVER_NAMES),
    /** The program of the driver "command"; other drivers have none. */
    command: optional(DriverCommand),
    name: string2().check(_regex(/^[a-z0-9-]{1,40}$/)),
    /** Proxy 0 runs the schedule; the others verify and follow. */
    index: int().check(_gte(0)),
    host: Address,
    port: Port,
    /** Steps of version 0.1.0 have none. */
    http: _default(HttpSettings, DEFAULT_HTTP_SETTINGS),
    /** null: users use plain HTTP. Otherwise they use this port, and `port` redirects to it. */
    tls: nullable(
      strictObject({
        port: Port,
        /** A PEM file with certificate, chain and key, relative to the proxy's folder. */
        certificate: string2().check(_regex(/^[0-9A-Za-z][0-9A-Za-z._/-]{0,99}$/))
      })
    )
  })
});
function directorSpec(environment, record2, proxyIndex) {
  const place = proxyPlaces(environment)[proxyIndex];
  if (place === void 0) throw new RangeError(`there is no proxy ${proxyIndex}`);
  const endpoints = slotEndpoints(environment);
  return {
    formatVersion: SPEC_FORMAT,
    application: environment.application,
    environment: environment.name,
    ...sequenceOf(record2),
    schedule: scheduleOf(record2, environment),
    verification: environment.verification,
    activation: environment.activation ?? null,
    preview: environment.preview ?? null,
    endpoints: { blue: [...endpoints.blue], green: [...endpoints.green] },
    proxy: {
      driver: environment.proxies.driver,
      ...isCustom(environment) && environment.proxies.command !== void 0 ? { command: environment.proxies.command } : {},
      index: proxyIndex,
      ...place,
      http: environment.proxies.http
    }
  };
}
export {
  LIVE,
  MARKS,
  NginxConfigurator,
  directorSpec,
  emptyRecord,
  parseEnvironment,
  provideTraffic,
  readTraffic,
  writeTraffic
};
