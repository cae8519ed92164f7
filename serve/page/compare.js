// Two products side by side: one score, its parts and its reasons.

import { ask, productBody } from "./api.js";
import { Bars, Decision, Drop, FilePhoto, Wrong, percent } from "./parts.js";
import { html, useRef, useState } from "./vendor/htm-preact.js";

const EMPTY = { name: "", file: null };

export function Compare() {
  const [left, setLeft] = useState(EMPTY);
  const [right, setRight] = useState(EMPTY);
  const [found, setFound] = useState({});
  const newest = useRef(0);
  /** Of what was compared before, nothing is shown beside other products. */
  const change = (set) => (value) => {
    newest.current += 1;
    setFound({});
    set(value);
  };
  const compare = async (event) => {
    event.preventDefault();
    const mine = (newest.current += 1);
    let next;
    try {
      const [one, other] = await Promise.all([productBody(left), productBody(right)]);
      const json = { left: one, right: other };
      next = { match: await ask("v1/compare", { method: "POST", json }) };
    } catch (problem) {
      next = { problem };
    }
    if (mine === newest.current) setFound(next);
  };
  return html`<form onSubmit=${compare}>
      <div class="sides">
        <${Side} side="left" title="One product" value=${left} onChange=${change(setLeft)} />
        <${Side} side="right" title="The other" value=${right} onChange=${change(setRight)} />
      </div>
      <button class="main">Compare</button>
    </form>
    <div aria-live="polite">
      <${Wrong} problem=${found.problem} />
      ${found.match && html`<${Match} match=${found.match} />`}
    </div>`;
}

const Side = ({ side, title, value, onChange }) => html`<fieldset>
  <legend>${title}</legend>
  ${value.file && html`<${FilePhoto} file=${value.file} alt="${title}: ${value.file.name}" />`}
  <${Drop}
    label=${value.file ? "Another photo" : "Drop or choose a photo"}
    onPhotos=${([file]) => onChange({ ...value, file })}
  />
  <label for="${side}-name">Name</label>
  <input
    id="${side}-name"
    value=${value.name}
    onInput=${(event) => onChange({ ...value, name: event.target.value })}
  />
</fieldset>`;

function Match({ match }) {
  const parts = [
    { name: "score", share: match.score },
    { name: "photos alike", share: match.image_similarity },
    { name: "names alike", share: match.name_similarity },
  ].filter(({ share }) => share !== null);
  const shown = parts.map(({ name, share }) => ({ name, share: Math.max(0, share) }));
  return html`<section class="result">
    <h2 class="answer">${percent(match.score)} <${Decision} decision=${match.decision} /></h2>
    <${Bars} label="The score and its parts" rows=${shown} />
    ${match.name_reasons.length > 0 &&
    html`<h3>Why the names say so</h3>
      <ul>
        ${match.name_reasons.map((reason) => html`<li>${reason}</li>`)}
      </ul>`}
  </section>`;
}
