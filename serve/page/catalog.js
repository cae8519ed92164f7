// The catalog: go through it, search it by photo and by words, place and add a product.

import { ask, base64, productBody } from "./api.js";
import {
  Bars,
  CategoryField,
  Decision,
  Drop,
  FilePhoto,
  KeptPhoto,
  Path,
  Wrong,
  percent,
  productPhoto,
  ranked,
  reloadCategories,
  useReload,
} from "./parts.js";
import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";

const PAGE = 24;

export function Catalog() {
  const [draft, setDraft] = useState({ text: "", category: "" });
  const [asked, setAsked] = useState({ text: "", category: "", file: null, offset: 0 });
  const [found, setFound] = useState({ products: [], said: "Loading…" });
  const newest = useRef(0);
  const look = async () => {
    const mine = (newest.current += 1);
    let next;
    try {
      next = await (asked.text || asked.file ? searched(asked) : listed(asked));
    } catch (problem) {
      next = { products: [], said: "", problem };
    }
    if (mine !== newest.current) return; // another was asked meanwhile
    // The last one of the last page was removed.
    if (!next.problem && next.total && !next.products.length) setAsked(lastPage(asked, next.total));
    else setFound(next);
  };
  useEffect(() => {
    look();
  }, [asked]);
  useReload(look);
  const submit = (part) =>
    setAsked({ ...asked, text: draft.text.trim(), category: draft.category.trim(), offset: 0, ...part });
  const change = (part) => setDraft((before) => ({ ...before, ...part }));
  const turn = (pages) => setAsked({ ...asked, offset: Math.max(0, asked.offset + pages * PAGE) });
  return html`
    <form class="search" role="search" onSubmit=${(event) => (event.preventDefault(), submit({}))}>
      <label for="words">Words</label>
      <input id="words" type="search" value=${draft.text} onInput=${(event) => change({ text: event.target.value })} />
      <${CategoryField} id="within" label="In category" value=${draft.category} onInput=${(category) => change({ category })} />
      <button class="main">Search</button>
      ${asked.file
        ? html`<figure class="small">
            <${FilePhoto} file=${asked.file} alt="Photo searched for" />
            <button type="button" onClick=${() => submit({ file: null })}>Without the photo</button>
          </figure>`
        : html`<${Drop} label="Search by a photo" onPhotos=${([file]) => submit({ file })} />`}
    </form>
    <${Wrong} problem=${found.problem} />
    <p role="status">${found.said}</p>
    <ul class="products">
      ${found.products.map((one) => html`<${Product} key=${one.id} product=${one} onGone=${() => setAsked((now) => ({ ...now }))} />`)}
    </ul>
    ${found.total > PAGE &&
    html`<p class="pages">
      <button disabled=${asked.offset === 0} onClick=${() => turn(-1)}>Before</button>
      <button disabled=${asked.offset + PAGE >= found.total} onClick=${() => turn(1)}>Next</button>
    </p>`}
    <${Add} onAdded=${() => setAsked((now) => ({ ...now }))} />
  `;
}

const lastPage = (asked, total) => ({ ...asked, offset: Math.floor((total - 1) / PAGE) * PAGE });

async function listed({ category, offset }) {
  const where = new URLSearchParams({ limit: PAGE, offset });
  if (category) where.set("category", category);
  const { total, products } = await ask(`v1/products?${where}`);
  const last = offset + products.length;
  return { total, products, said: total ? `${offset + 1} to ${last} of ${total} products` : "No products" };
}

async function searched({ text, file, category }) {
  const json = { limit: PAGE };
  if (text) json.text = text;
  if (file) json.product = { image: await base64(file) };
  if (category) json.filter = { category };
  const { results } = await ask("v1/search", { method: "POST", json });
  return { products: results, said: results.length ? `The ${results.length} nearest` : "Nothing found" };
}

const addressOf = (id) => `v1/products/${encodeURIComponent(id)}`;

function Product({ product, onGone }) {
  const [problem, setProblem] = useState(null);
  const name = product.name || product.id;
  const remove = async () => {
    if (!confirm(`Remove ${name} from the catalog?`)) return;
    try {
      await ask(addressOf(product.id), { method: "DELETE" });
      document.getElementById("main").focus();
      onGone();
    } catch (found) {
      setProblem(found);
    }
  };
  return html`<li class="product">
    <${KeptPhoto} path=${productPhoto(product.id)} alt=${name} />
    <strong>${name}</strong>
    <${Path} path=${product.category} />
    <span class="id">${product.id}</span>
    ${product.score !== undefined && html`<span>score ${percent(product.score)}</span>`}
    <button onClick=${remove} aria-label="Remove ${name}">Remove</button>
    <${Wrong} problem=${problem} />
  </li>`;
}

const NEW = { id: "", name: "", category: "", file: null };

/** A new product: where it belongs is asked first, a person says it. */
function Add({ onAdded }) {
  const [value, setValue] = useState(NEW);
  const [placed, setPlaced] = useState(null);
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const id = value.id.trim();
  const change = (part) => setValue((before) => ({ ...before, ...part }));
  const alone = async (work) => {
    setBusy(true);
    setProblem(null);
    setSaid("");
    try {
      await work();
    } catch (found) {
      setProblem(found);
    } finally {
      setBusy(false);
    }
  };
  const place = () =>
    alone(async () => {
      const json = { product: await productBody(value), id };
      const answer = await ask("v1/categorize", { method: "POST", json });
      setPlaced({ id, answer });
      if (answer.path) change({ category: answer.path });
    });
  const add = (event) => {
    event.preventDefault();
    alone(async () => {
      const category = value.category.trim() || null;
      const before = await known(id);
      if (before && !confirm(`${id} is in the catalog (${before.name || "without a name"}). Replace it?`)) return;
      await ask(addressOf(id), { method: "PUT", json: { ...(await productBody(value)), category } });
      // The answer that waits for a person is hereby decided.
      const review = placed && placed.id === id ? placed.answer.review : null;
      if (review && category) await ask(`v1/reviews/${review}:correct`, { method: "POST", json: { path: category } });
      setSaid(`${value.name || id} is in the catalog.`);
      setPlaced(null);
      setValue(NEW);
      reloadCategories();
      onAdded();
    });
  };
  const answer = placed && placed.id === id ? placed.answer : null;
  return html`<section class="add">
    <h2>Add a product</h2>
    <form onSubmit=${add}>
      <fieldset disabled=${busy}>
        <legend class="unseen">The product</legend>
        <label for="new-id">Id</label>
        <input id="new-id" required value=${value.id} onInput=${(event) => change({ id: event.target.value })} />
        <label for="new-name">Name</label>
        <input id="new-name" value=${value.name} onInput=${(event) => change({ name: event.target.value })} />
        ${value.file && html`<${FilePhoto} file=${value.file} alt="The new product" />`}
        <${Drop} label=${value.file ? "Another photo" : "Its photo"} onPhotos=${([file]) => change({ file })} />
        <button type="button" onClick=${place} disabled=${!id || (!value.file && !value.name.trim())}>
          Where does it belong?
        </button>
        ${answer &&
        html`<p class="answer">
            <${Path} path=${answer.path} /> <b>${percent(answer.score)}</b>
            <${Decision} decision=${answer.decision} />
          </p>
          <${Bars} label="Other categories" rows=${ranked(answer.alternatives)} />`}
        <${CategoryField} id="new-category" label="Category" value=${value.category} onInput=${(category) => change({ category })} />
        <button class="main">Add</button>
      </fieldset>
    </form>
    <${Wrong} problem=${problem} />
    <p role="status">${said}</p>
  </section>`;
}

/** The product that has the id already, if any does. */
async function known(id) {
  try {
    return await ask(addressOf(id));
  } catch (problem) {
    if (problem.type === "unknown-product") return null;
    throw problem;
  }
}
