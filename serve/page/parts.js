// What several views show: problems, decisions, ranked categories, photos, a field for a category.

import { ask, fileUrl, onKey } from "./api.js";
import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";

export const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;

/** What is wrong, where, and what to do. */
export function Wrong({ problem }) {
  if (!problem) return null;
  return html`<div class="wrong" role="alert">
    <strong>${problem.title || "Something went wrong"}</strong>
    <span>${problem.where ? `${problem.where}: ` : ""}${problem.detail || problem.message}</span>
    ${problem.fix && html`<span>${problem.fix}</span>`}
  </div>`;
}

const SAID = {
  auto: "certain",
  review: "a person should look",
  unknown: "like nothing learnt",
  same: "the same product",
  different: "different products",
};

export const Decision = ({ decision }) =>
  html`<span class="decision ${decision}">${SAID[decision] || decision}</span>`;

/** A category with the way to it. */
export function Path({ path }) {
  if (!path) return html`<span class="path">no category</span>`;
  const names = path.split("/");
  return html`<span class="path">
    ${names.slice(0, -1).map((name) => html`<span class="above">${name} › </span>`)}
    <span>${names.at(-1)}</span>
  </span>`;
}

/** Categories or parts of a score, each with a bar. */
export const Bars = ({ rows, label }) => html`<table class="bars">
  <caption class="unseen">
    ${label}
  </caption>
  <tbody>
    ${rows.map(
      ({ name, share }) => html`<tr>
        <th scope="row">${name}</th>
        <td class="bar">
          <meter min="0" max="1" value=${share} aria-label=${percent(share)}></meter>
        </td>
        <td class="number">${percent(share)}</td>
      </tr>`,
    )}
  </tbody>
</table>`;

export const ranked = (categories) =>
  categories.map(({ path, probability }) => ({
    name: html`<${Path} path=${path} />`,
    share: probability,
  }));

/** A photo of a file that was chosen. */
export function FilePhoto({ file, alt }) {
  const [url, setUrl] = useState(null);
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return url && html`<img src=${url} alt=${alt} />`;
}

/** A photo that the server keeps; a mark in its place where it has none. */
export function KeptPhoto({ path, alt }) {
  const [url, setUrl] = useState(null);
  useEffect(() => {
    let made = null;
    let gone = false;
    setUrl(null);
    fileUrl(path).then(
      (found) => (gone ? URL.revokeObjectURL(found) : setUrl((made = found))),
      () => {},
    );
    return () => {
      gone = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [path]);
  return url ? html`<img src=${url} alt=${alt} />` : html`<span class="no-photo" aria-hidden="true" />`;
}

export const productPhoto = (id) => `v1/products:photo?id=${encodeURIComponent(id)}`;

/** Takes photos that are chosen, dropped or pasted. */
export function Drop({ onPhotos, label, many = false }) {
  const [over, setOver] = useState(false);
  const input = useRef(null);
  const take = (files) => {
    // All are sent: of what is no photo the server says so.
    if (files.length) onPhotos(many ? [...files] : [files[0]]);
  };
  useEffect(() => {
    const paste = (event) => {
      if (event.clipboardData.files.length) take(event.clipboardData.files);
    };
    if (many) document.addEventListener("paste", paste);
    return () => document.removeEventListener("paste", paste);
  });
  return html`<label
    class="drop ${over ? "over" : ""}"
    onDragOver=${(event) => (event.preventDefault(), setOver(true))}
    onDragLeave=${() => setOver(false)}
    onDrop=${(event) => {
      event.preventDefault();
      setOver(false);
      take(event.dataTransfer.files);
    }}
  >
    <span>${label}</span>
    <input
      ref=${input}
      type="file"
      accept="image/*"
      multiple=${many}
      onChange=${() => {
        take(input.current.files);
        input.current.value = "";
      }}
    />
  </label>`;
}

let tree = null;
const readers = new Set();

/** Ask for the categories anew, for all who show them. */
export function reloadCategories() {
  tree = ask("v1/categories").then(({ categories }) => {
    const below = (nodes) => nodes.flatMap((node) => [node.path, ...below(node.children)]);
    return below(categories);
  });
  tree.then(
    (paths) => readers.forEach((read) => read(paths)),
    () => (tree = null),
  );
}

/** What every category field suggests, once for the page. */
export function CategoryList() {
  const [paths, setPaths] = useState([]);
  useEffect(() => {
    readers.add(setPaths);
    if (tree) tree.then(setPaths, () => {});
    else reloadCategories();
    const stop = onKey(reloadCategories);
    return () => {
      readers.delete(setPaths);
      stop();
    };
  }, []);
  return html`<datalist id="categories">${paths.map((path) => html`<option key=${path} value=${path} />`)}</datalist>`;
}

/** Do something again when another API key is used. */
export function useReload(work) {
  const newest = useRef(work);
  newest.current = work;
  useEffect(() => onKey(() => newest.current()), []);
}

/** A field for a category: any part of its path finds it, and a new one may be written. */
export const CategoryField = ({ id, label, value, onInput, field }) => html`<label for=${id}>${label}</label>
  <input
    id=${id}
    ref=${field}
    list="categories"
    autocomplete="off"
    value=${value}
    onInput=${(event) => onInput(event.target.value)}
  />`;
