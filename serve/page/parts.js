// What several views show: problems, decisions, ranked categories, photos, a field for a category.

import { ask, photoUrl } from "./api.js";
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
    photoUrl(path).then(
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
    const photos = [...files].filter((file) => file.type.startsWith("image/") || !file.type);
    if (photos.length) onPhotos(many ? photos : photos.slice(0, 1));
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

let known = null;

/** Every category path of model and catalog, in the order of the tree. */
export function useCategories() {
  const [paths, setPaths] = useState(known || []);
  useEffect(() => {
    ask("v1/categories").then(
      ({ categories }) => {
        const below = (nodes) => nodes.flatMap((node) => [node.path, ...below(node.children)]);
        setPaths((known = below(categories)));
      },
      () => {},
    );
  }, []);
  return paths;
}

/** A field for a category: any part of its path finds it, and a new one may be written. */
export function CategoryField({ id, label, value, onInput, field }) {
  const paths = useCategories();
  return html`<label for=${id}>${label}</label>
    <input
      id=${id}
      ref=${field}
      list="${id}-list"
      autocomplete="off"
      value=${value}
      onInput=${(event) => onInput(event.target.value)}
    />
    <datalist id="${id}-list">${paths.map((path) => html`<option value=${path} />`)}</datalist>`;
}
