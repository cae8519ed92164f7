// The catalog: go through it, search it by photo and by words, place and add a product.

import { ask, base64 } from "./api.js";
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
} from "./parts.js";
import { html, useEffect, useState } from "./vendor/htm-preact.js";

const PAGE = 24;

export function Catalog() {
  const [asked, setAsked] = useState({ text: "", file: null, category: "" });
  const [offset, setOffset] = useState(0);
  const [found, setFound] = useState({ products: [] });
  const look = async () => {
    try {
      setFound(await (asked.text.trim() || asked.file ? searched(asked) : listed(asked, offset)));
    } catch (problem) {
      setFound({ products: [], problem });
    }
  };
  useEffect(() => {
    look();
  }, [offset, asked.file]);
  const submit = (event) => {
    event.preventDefault();
    if (offset === 0) look();
    else setOffset(0);
  };
  const change = (part) => setAsked({ ...asked, ...part });
  return html`
    <form class="search" role="search" onSubmit=${submit}>
      <label for="words">Words</label>
      <input id="words" type="search" value=${asked.text} onInput=${(event) => change({ text: event.target.value })} />
      <${CategoryField}
        id="within"
        label="In category"
        value=${asked.category}
        onInput=${(category) => change({ category })}
      />
      <button class="main">Search</button>
      ${asked.file
        ? html`<figure class="small">
            <${FilePhoto} file=${asked.file} alt="Photo searched for" />
            <button type="button" onClick=${() => change({ file: null })}>Without the photo</button>
          </figure>`
        : html`<${Drop} label="Search by a photo" onPhotos=${([file]) => change({ file })} />`}
    </form>
    <${Wrong} problem=${found.problem} />
    <p role="status">${found.said}</p>
    <ul class="products">
      ${found.products.map((one) => html`<${Product} key=${one.id} product=${one} onGone=${look} />`)}
    </ul>
    ${found.total > PAGE &&
    html`<p class="pages">
      <button disabled=${offset === 0} onClick=${() => setOffset(offset - PAGE)}>Before</button>
      <button disabled=${offset + PAGE >= found.total} onClick=${() => setOffset(offset + PAGE)}>Next</button>
    </p>`}
    <${Add} onAdded=${look} />
  `;
}

async function listed({ category }, offset) {
  const where = new URLSearchParams({ limit: PAGE, offset });
  if (category.trim()) where.set("category", category.trim());
  const { total, products } = await ask(`v1/products?${where}`);
  const last = offset + products.length;
  return { total, products, said: total ? `${offset + 1} to ${last} of ${total} products` : "No products" };
}

async function searched({ text, file, category }) {
  const json = { limit: PAGE };
  if (text.trim()) json.text = text.trim();
  if (file) json.product = { image: await base64(file) };
  if (category.trim()) json.filter = { category: category.trim() };
  const { results } = await ask("v1/search", { method: "POST", json });
  return { products: results, said: results.length ? `The ${results.length} nearest` : "Nothing found" };
}

function Product({ product, onGone }) {
  const [problem, setProblem] = useState(null);
  const name = product.name || product.id;
  const remove = async () => {
    if (!confirm(`Remove ${name} from the catalog?`)) return;
    try {
      await ask(`v1/products/${encodeURIComponent(product.id)}`, { method: "DELETE" });
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
  const [placed, setPlaced] = useState({});
  const [said, setSaid] = useState("");
  const change = (part) => setValue({ ...value, ...part });
  const body = async () => {
    const found = {};
    if (value.name.trim()) found.name = value.name.trim();
    if (value.file) found.image = await base64(value.file);
    return found;
  };
  const place = async () => {
    try {
      const json = { product: await body() };
      const answer = await ask("v1/categorize", { method: "POST", json });
      setPlaced({ answer });
      if (answer.path) change({ category: answer.path });
    } catch (problem) {
      setPlaced({ problem });
    }
  };
  const add = async (event) => {
    event.preventDefault();
    try {
      const json = { ...(await body()), category: value.category.trim() || null };
      await ask(`v1/products/${encodeURIComponent(value.id.trim())}`, { method: "PUT", json });
      setSaid(`${value.name || value.id} is in the catalog.`);
      setPlaced({});
      setValue(NEW);
      onAdded();
    } catch (problem) {
      setPlaced({ problem });
    }
  };
  return html`<section class="add">
    <h2>Add a product</h2>
    <form onSubmit=${add}>
      <label for="new-id">Id</label>
      <input id="new-id" required value=${value.id} onInput=${(event) => change({ id: event.target.value })} />
      <label for="new-name">Name</label>
      <input id="new-name" value=${value.name} onInput=${(event) => change({ name: event.target.value })} />
      ${value.file && html`<${FilePhoto} file=${value.file} alt="The new product" />`}
      <${Drop} label=${value.file ? "Another photo" : "Its photo"} onPhotos=${([file]) => change({ file })} />
      <button type="button" onClick=${place} disabled=${!value.file && !value.name.trim()}>Where does it belong?</button>
      ${placed.answer &&
      html`<p class="answer">
          <${Path} path=${placed.answer.path} /> <b>${percent(placed.answer.score)}</b>
          <${Decision} decision=${placed.answer.decision} />
        </p>
        <${Bars} label="Other categories" rows=${ranked(placed.answer.alternatives)} />`}
      <${CategoryField}
        id="new-category"
        label="Category"
        value=${value.category}
        onInput=${(category) => change({ category })}
      />
      <button class="main">Add</button>
    </form>
    <${Wrong} problem=${placed.problem} />
    <p role="status">${said}</p>
  </section>`;
}
