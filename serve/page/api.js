// Calls of the API. The key lives in this tab's session and nowhere else.

const KEY = "catalens-key";

/** What the server refused, as its problem document says (RFC 9457). */
export class Problem extends Error {
  constructor({ type, title, detail, where = "", fix = "", status = 0 }) {
    super(detail);
    Object.assign(this, { type, title, detail, where, fix, status });
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
    dispatchEvent(new Event(KEY));
  },
};

/** Call something whenever another key is used; gives what ends it. */
export function onKey(work) {
  addEventListener(KEY, work);
  return () => removeEventListener(KEY, work);
}

/** The answer to a call; every call may be repeated, so one that broke is sent once more. */
export async function call(path, { method = "GET", json, body, type } = {}) {
  const headers = {};
  if (key.get()) headers.Authorization = `Bearer ${key.get()}`;
  if (json !== undefined) type = "application/json";
  if (type) headers["Content-Type"] = type;
  const request = { method, headers, body: json === undefined ? body : JSON.stringify(json) };
  const response = await answered(path, request);
  if (response.ok) return response;
  throw await problemOf(response);
}

/** The same as JSON. */
export async function ask(path, options) {
  const response = await call(path, options);
  return response.status === 204 ? null : response.json();
}

/** A file of the server's as an address that <img> or <a> take; revoke it when it is not used. */
export async function fileUrl(path) {
  return URL.createObjectURL(await (await call(path)).blob());
}

/** The photo's bytes as the JSON bodies take them. */
export async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}

/** A product that is written here, as the JSON bodies take it. */
export async function productBody({ name, file }) {
  const found = {};
  if (name.trim()) found.name = name.trim();
  if (file) found.image = await base64(file);
  return found;
}

async function answered(path, request) {
  for (let left = 1; ; left -= 1) {
    try {
      const response = await fetch(path, request);
      // The proxy's own word, in the place of an answer.
      const proxys = response.status === 500 && !(type(response) || "").includes("json");
      if (!proxys || left === 0) return response;
    } catch (error) {
      if (/[^ -~]/.test(request.headers.Authorization || "")) {
        throw new Problem({
          type: "unauthorized",
          title: "No API key that is known",
          detail: "the API key has characters that no key has.",
        });
      }
      if (left === 0) {
        throw new Problem({
          type: "unreachable",
          title: "No answer",
          detail: "the server cannot be reached.",
          fix: "Check the connection and try again.",
        });
      }
    }
  }
}

async function problemOf(response) {
  if ((type(response) || "").includes("json")) return new Problem(await response.json());
  return new Problem({
    type: "unreachable",
    title: "No answer",
    detail: `the server answered ${response.status}.`,
    fix: "Try again.",
    status: response.status,
  });
}

const type = (response) => response.headers.get("Content-Type");
