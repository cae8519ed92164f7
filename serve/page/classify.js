// Photos in, ranked categories out; why, on demand.

import { ask } from "./api.js";
import { Bars, Decision, Drop, FilePhoto, Path, Wrong, percent, ranked } from "./parts.js";
import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";

const AT_ONCE = 4;
/** Problems that pass by themselves. */
const PASSING = new Set(["overloaded", "rate-limited", "not-ready", "unreachable", "unauthorized"]);

/** @type {number} so that each photo has a key of its own */
let photos = 0;

export function Classify() {
  const [items, setItems] = useState([]);
  const waiting = useRef([]);
  const working = useRef(0);
  const change = (id, found) =>
    setItems((before) => before.map((item) => (item.id === id ? { ...item, ...found } : item)));

  const work = async () => {
    while (working.current < AT_ONCE && waiting.current.length) {
      const { id, file } = waiting.current.shift();
      working.current += 1;
      classified(file).then((found) => {
        working.current -= 1;
        change(id, found);
        work();
      });
    }
  };
  const queue = (some) => {
    waiting.current.push(...some);
    work();
  };
  const add = (files) => {
    const added = files.map((file) => ({ id: (photos += 1), file }));
    setItems((before) => [...added, ...before]);
    queue(added);
  };
  const again = (item) => {
    change(item.id, { problem: null });
    queue([item]);
  };
  useEffect(() => () => (waiting.current = []), []); // nobody sees the answers any more
  const done = items.filter((item) => item.result || item.problem).length;
  return html`
    <${Drop} many onPhotos=${add} label="Drop photos here, paste them, or choose files" />
    <p role="status" class="progress">
      ${items.length > 0 &&
      html`<progress max=${items.length} value=${done} aria-label="Photos answered"></progress>
        ${done} of ${items.length} answered`}
    </p>
    <ul class="cards">
      ${items.map((item) => html`<${Card} key=${item.id} item=${item} onAgain=${() => again(item)} />`)}
    </ul>
  `;
}

async function classified(file, query = "") {
  try {
    const body = { method: "POST", body: file, type: "application/octet-stream" };
    const { results } = await ask(`v1/classify${query}`, body);
    return { result: results[0] };
  } catch (problem) {
    return { problem };
  }
}

function Card({ item, onAgain }) {
  const [why, setWhy] = useState(null);
  const [asking, setAsking] = useState(false);
  const { file, result, problem } = item;
  const explain = async () => {
    setAsking(true);
    setWhy(await classified(file, "?explain=true"));
    setAsking(false);
  };
  return html`<li class="card">
    <figure>
      <${FilePhoto} file=${file} alt=${file.name || "pasted photo"} />
      <figcaption>${file.name || "pasted photo"}</figcaption>
    </figure>
    <div>
      ${!result && !problem && html`<p>Asking…</p>`}
      <${Wrong} problem=${problem} />
      ${problem && PASSING.has(problem.type) && html`<button onClick=${onAgain}>Again</button>`}
      ${result &&
      html`<p class="answer">
          <${Path} path=${result.answer.path} /> <b>${percent(result.answer.probability)}</b>
          <${Decision} decision=${result.answer.decision} />
        </p>
        <${Bars} label="Categories by probability" rows=${ranked(result.categories)} />
        ${result.tags &&
        html`<p>Tags: ${result.tags.map(({ tag, probability }) => `${tag} ${percent(probability)}`).join(", ")}</p>`}
        ${(!why || why.problem) &&
        html`<button disabled=${asking} onClick=${explain} aria-label="Why ${file.name || "pasted photo"}?">
          ${asking ? "Looking…" : "Why?"}
        </button>`}
        <${Wrong} problem=${why && why.problem} />
        ${why && why.result && html`<${Why} found=${why.result.explanation} />`}`}
    </div>
  </li>`;
}

const jpeg = (base64) => `data:image/jpeg;base64,${base64}`;

const Why = ({ found }) => html`<section class="why">
  <h2>Why <${Path} path=${found.path} /></h2>
  <figure>
    <img src=${jpeg(found.saliency)} alt="The photo, bright where it mattered" />
    <figcaption>bright where it mattered</figcaption>
  </figure>
  ${found.nearest.map(
    (one) => html`<figure>
      <img src=${jpeg(one.photo)} alt="A training photo of ${one.path}" />
      <figcaption><${Path} path=${one.path} /> ${percent(one.similarity)} alike</figcaption>
    </figure>`,
  )}
</section>`;
